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


@pytest.mark.parametrize("unset", ["", "None", None])
def test_a_media_type_that_a_form_has_left_empty_is_that_of_csv(unset: str | None) -> None:
    assert PrepareRequest.read(GOOD | {"content_type": unset}).content_type == "text/csv"


def test_everything_wrong_is_told_at_once() -> None:
    assert wrong(
        source="lake/day=1",
        output=3,
        columns=["a", "a"],
        keep=[""],
        rename=["a"],
        types=["int64"],
        fill={"a": None},
        required=[""],
        max_quarantined="many",
        format="xls",
        compression="rar",
        delimiter="::",
        quote="",
        header="perhaps",
        names=["a", "a"],
        sql=["SELECT"],
        sql_conn_id=3,
        content_type="csv",
        record="rows",
        include=[3],
        exclude=[""],
        keep_from="labels.csv",
        shard_bytes=0,
        shard_rows=-1,
        min_shards="x",
        instance_count=0,
        max_payload_in_mb=-1,
        max_concurrent_transforms="x",
    ) == set(OPTIONS)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"columns": ["a"], "types": {"id": "int64"}}, "types"),
        ({"columns": ["a"], "fill": {"b": 0}}, "fill"),
        ({"columns": ["a"], "keep": ["b"], "required": ["b", "c"]}, "required"),
        ({"rename": {"a": "c", "b": "c"}}, "rename"),
        ({"header": False}, "names"),
        ({"names": ["a"]}, "names"),
        ({"delimiter": ";", "quote": ";"}, "quote"),
        ({"quote": ","}, "quote"),
        ({"sql": "SELECT 1", "sql_conn_id": "db"}, "sql"),
        ({"source": None}, "source"),
        ({"source": None, "sql": "SELECT 1"}, "sql_conn_id"),
        ({"source": ["s3://b/in/quarantine/"]}, "output"),
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


@pytest.mark.parametrize(
    ("value", "rows", "total", "allowed"),
    [(0, 1, 100, False), ("3", 3, 100, True), (3, 4, 100, False), ("1%", 1, 100, True), (0.01, 2, 100, False)],
)
def test_so_many_rows_may_be_set_aside(value: object, rows: int, total: int, allowed: bool) -> None:
    assert PrepareRequest.read(GOOD | {"max_quarantined": value}).max_quarantined.allows(rows, total) == allowed


def test_what_csv_looks_like_may_be_spelt() -> None:
    request = PrepareRequest.read(GOOD | {"delimiter": r"\t", "quote": "none", "header": "false", "names": "a,b"})

    assert (request.delimiter, request.quote, request.header, request.names) == ("\t", "none", False, ("a", "b"))


def test_a_filling_is_the_text_of_a_cell() -> None:
    request = PrepareRequest.read(GOOD | {"fill": {"a": 0, "b": 0.5, "c": True, "d": "x"}})

    assert request.fill == {"a": "0", "b": "0.5", "c": "true", "d": "x"}


def test_a_query_takes_the_place_of_a_source() -> None:
    request = PrepareRequest.read({"sql": "SELECT 1", "sql_conn_id": "db", "output": "s3://b/in/"})

    assert (request.source, request.sql) == ((), "SELECT 1")
