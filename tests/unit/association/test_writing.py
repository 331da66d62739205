from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.association.associate import associate
from airflow_batchtx.errors import AssociationError, InvalidInput
from airflow_batchtx.spec.associated import AssociatedManifest
from airflow_batchtx.spec.uri import S3Uri
from tests.scored import Scored

KEPT = [
    pa.table(
        {
            "id": pa.array([2**63 - 1, None]),
            "note": ['a "b"\n', "ü"],
            "tags": pa.array([["x"], []], pa.list_(pa.string())),
        }
    )
]


def test_json_lines_keep_what_csv_cannot() -> None:
    job = Scored([b"x\nx\n"], [b"0.5,yes\n2,\n"], KEPT)
    job.associate(format="jsonlines", predictions={"score": "double", "label": "string"})

    assert job.store.get(S3Uri("b", "scored/part-00000.jsonl")).decode() == (
        '{"id":9223372036854775807,"note":"a \\"b\\"\\n","tags":["x"],"score":0.5,"label":"yes"}\n'
        '{"id":null,"note":"ü","tags":[],"score":2,"label":""}\n'
    )
    assert (job.manifest().format, job.manifest().rows) == ("jsonlines", 2)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_that_json_has_not_are_named(number: str) -> None:
    job = Scored([b"x\nx\n"], [f"0.5\n{number}\n".encode()], KEPT)
    job.associate()

    with pytest.raises(AssociationError, match="JSON") as caught:
        job.associate(format="jsonlines")
    assert (caught.value.uri, caught.value.record) == (str(job.target(0)), 2)
    assert job.bodies() == {}


@pytest.mark.parametrize(
    ("form", "kept"),
    [("csv", pa.array([[1], [2]])), ("csv", pa.array([b"a", b"b"])), ("jsonlines", pa.array([b"a", b"b"]))],
)
def test_types_that_a_format_does_not_hold_are_refused(form: str, kept: Any) -> None:
    job = Scored([b"x\nx\n"], [b"1\n2\n"], [pa.table({"odd": kept})])

    with pytest.raises(InvalidInput, match="odd"):
        job.associate(format=form)
    assert job.bodies() == {}


def test_the_manifest_tells_everything_that_was_written() -> None:
    job = Scored([b"x\nx\n", b"x\nx\n"], [b"1\nx\n", b"2\n3\n"], KEPT * 2)
    job.associate(format="jsonlines", predictions={"n": "int64"}, max_dead=1, partition_by="id")

    bodies = job.bodies()
    told = json.loads(bodies["_manifest.json"])
    assert (told["version"], told["rows"], told["dead_rows"]) == (1, 3, 1)
    assert (told["format"], told["partition_by"]) == ("jsonlines", ["id"])
    for part in [*told["parts"], *told["dead_letters"]]:
        body = bodies[part["uri"].removeprefix("s3://b/scored/")]
        assert (part["bytes"], part["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert len(bodies) == len(told["parts"]) + len(told["dead_letters"]) + 2
    manifest = AssociatedManifest.read(bodies["_manifest.json"])
    assert manifest.to_json() == bodies["_manifest.json"]


def test_progress_is_told_after_each_input() -> None:
    job = Scored([b"x\n", b"x\nx\n"], [b"1\n", b"22\n3\n"])
    seen: list[tuple[int, int]] = []

    associate(job.store, job.request(), progress=lambda done, total: seen.append((done, total)))

    assert seen == [(2, 7), (7, 7)]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"format": "xml"}, "format"),
        ({"partition_by": ["a", "a"]}, "partition_by"),
        ({"on_missing": "skip"}, "on_missing"),
        ({"max_dead": -1}, "max_dead"),
        ({"max_dead": "many"}, "max_dead"),
        ({"processes": 0}, "processes"),
        ({"processes": 1000}, "processes"),
        ({"share": "3/2"}, "share"),
        ({"share": "1/2", "predictions": None}, "predictions"),
        ({"share": "1/2", "predictions": ["a"]}, "predictions"),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Scored([], []).request(**options)

    assert [problem.field for problem in caught.value.problems] == [field]
