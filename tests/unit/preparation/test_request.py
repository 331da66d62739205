from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.preparation.request import OPTIONS, PrepareRequest, check
from airflow_batchtx.spec.uri import S3Uri

GOOD: dict[str, Any] = {"source": "s3://lake/day=1/", "output": "s3://b/in"}


def wrong(**values: Any) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        check(GOOD | values)
    return {problem.field for problem in caught.value.problems}


def test_what_is_left_out_has_defaults() -> None:
    request = PrepareRequest.read(GOOD)

    assert request == PrepareRequest(source=(S3Uri("lake", "day=1/"),), output=S3Uri("b", "in/"))
    assert str(request.shards) == "s3://b/in/shards/"
    assert str(request.kept) == "s3://b/in/kept/"
    assert str(request.manifest) == "s3://b/in/manifest.json"


def test_every_option_has_a_reader() -> None:
    assert OPTIONS.keys() == PrepareRequest.__dataclass_fields__.keys()


def test_rendered_texts_become_what_they_spell() -> None:
    rendered = GOOD | {"columns": "a,b", "keep": "['id']", "shard_rows": "10", "min_shards": "2", "format": "None"}
    request = PrepareRequest.read(rendered)

    assert (request.columns, request.keep) == (("a", "b"), ("id",))
    assert (request.shard_rows, request.min_shards, request.format) == (10, 2, None)


def test_everything_wrong_is_told_at_once() -> None:
    assert wrong(
        source="lake/day=1",
        output=3,
        columns=["a", "a"],
        keep=[""],
        types=["int64"],
        format="xls",
        shard_bytes=0,
        shard_rows=-1,
        min_shards="x",
    ) == set(OPTIONS)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"types": {"id": "int64"}}, "types"),
        ({"columns": []}, "columns"),
        ({"output": "s3://lake/day=1/in/"}, "output"),
        ({"output": "s3://lake/day=1/"}, "output"),
        ({"source": ["s3://b/in/shards/part-00000.csv"]}, "output"),
        ({"source": ["s3://b/in/kept/"]}, "output"),
        ({"source": ["s3://b"]}, "output"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, Any], field: str) -> None:
    assert wrong(**values) == {field}


@pytest.mark.parametrize("source", ["s3://b/in/raw/", "s3://b/in/table.csv", "s3://b/in2/", "s3://other/in/shards/"])
def test_a_source_beside_the_shards_is_fine(source: str) -> None:
    assert check(GOOD | {"source": source})["source"] == (S3Uri.parse(source),)


def test_a_column_may_be_sent_and_kept() -> None:
    assert check(GOOD | {"columns": ["a"], "keep": ["a"]})["keep"] == ("a",)


def test_templates_are_left_for_later() -> None:
    assert check({"source": "s3://b/{{ ds }}/", "output": "{{ params.output }}", "keep": ["{{ params.id }}"]}) == {}
