from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.errors import InvalidInput, OutputMissing, RowCountMismatch, TooManyDeadLetters, TypeTooNarrow
from tests.scored import Scored

KEPT = [pa.table({"id": ["a", "b", "c"]}), pa.table({"id": ["d", "e"]})]
INPUTS = [b"x\nx\nx\n", b"x\nx\n"]
JSON_LINES = {"accept": "application/jsonlines"}


def told(job: Scored) -> list[tuple[Any, ...]]:
    return [(row["id"], row["_record"], row["_reason"], row["_answer"]) for row in job.dead()]


def test_values_of_another_type_than_asked_for_are_dead_where_some_may_be() -> None:
    job = Scored(INPUTS, [b"1\nhigh\n3\n", b"low\n5\n"], KEPT)

    output = job.associate(predictions={"score": "double"}, max_dead=2)

    assert [row["id"] for row in job.rows()] == ["a", "c", "e"]
    assert told(job) == [
        ("b", 2, "score = 'high' is no double", "high"),
        ("d", 1, "score = 'low' is no double", "low"),
    ]
    assert {row["_input"] for row in job.dead()} == {str(job.source(0)), str(job.source(1))}
    assert (output.rows, output.dead_rows, output.dead_letters) == (3, 2, "s3://b/scored/_dead_letters/")
    manifest = job.manifest()
    assert (manifest.rows, manifest.dead_rows, [part.rows for part in manifest.dead_letters]) == (3, 2, [1, 1])


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()], ids=str)
def test_kept_views_of_text_can_be_taken_apart(kind: pa.DataType) -> None:
    """Arrow takes no single rows of them."""
    kept = [pa.table({"id": pa.array(["a", "b", "c"], pa.string()).cast(kind)})]
    job = Scored(INPUTS[:1], [b"1\nhigh\n3\n"], kept)
    job.associate(predictions={"score": "double"}, max_dead=1)

    assert len(job.rows()) == 2
    assert [row["id"] for row in job.dead()] in (["b"], [b"b"])


def test_none_may_be_dead_unless_it_is_said() -> None:
    job = Scored(INPUTS, [b"1\nhigh\n3\n", b"4\n5\n"], KEPT)

    with pytest.raises(TypeTooNarrow) as caught:
        job.associate(predictions={"score": "double"})

    assert (caught.value.uri, caught.value.record) == (str(job.target(0)), 2)
    assert job.bodies() == {}


def test_without_dead_letters_nothing_tells_of_any() -> None:
    job = Scored(INPUTS, [b"1\n2\n3\n", b"4\n5\n"], KEPT)

    output = job.associate(max_dead="1%")

    assert (output.dead_rows, output.dead_letters, job.manifest().dead_letters) == (0, None, ())
    assert sorted(job.bodies()) == ["_SUCCESS", "_manifest.json", "part-00000.parquet", "part-00001.parquet"]


@pytest.mark.parametrize(("allowed", "fits"), [(1, False), (2, True), ("39%", False), ("40%", True), (1.0, True)])
def test_more_than_may_be_is_a_failure_that_leaves_only_them(allowed: Any, fits: bool) -> None:
    job = Scored(INPUTS, [b"1\nhigh\n3\n", b"low\n5\n"], KEPT)
    job.associate(predictions={"score": "string"})
    if fits:
        assert job.associate(predictions={"score": "double"}, max_dead=allowed).dead_rows == 2
        return

    with pytest.raises(TooManyDeadLetters) as caught:
        job.associate(predictions={"score": "double"}, max_dead=allowed)

    assert (caught.value.dead, caught.value.rows, caught.value.uri) == (2, 5, "s3://b/scored/_dead_letters/")
    dead = ["_dead_letters/part-00000.parquet", "_dead_letters/part-00001.parquet"]
    assert sorted(job.bodies()) == [*dead, "_writing.json"]
    assert [row[0] for row in told(job)] == ["b", "d"]
    job.associate()
    assert sorted(job.bodies()) == ["_SUCCESS", "_manifest.json", "part-00000.parquet", "part-00001.parquet"]


def test_a_column_of_csv_says_what_was_refused() -> None:
    job = Scored(INPUTS, [b"1,\n,no x\n3,False\n", b"4,false\n,too long\n"], KEPT)

    output = job.associate(predictions=["score", "error"], error_member="error", max_dead=5)

    assert job.rows() == [{"id": key, "score": score} for key, score in (("a", 1), ("c", 3), ("d", 4))]
    assert told(job) == [
        ("b", 2, "error: no x", '{"score":"","error":"no x"}'),
        ("e", 2, "error: too long", '{"score":"","error":"too long"}'),
    ]
    assert output.columns == ("id", "score")
    assert job.manifest().predictions == ("score",)


def test_a_member_of_json_says_what_was_refused() -> None:
    answers = [b'{"score": 1}\n{"error": {"code": 7}}\n{"score": 3}\n', b'{"score": 4, "error": null}\n{"score": 5}\n']
    for predictions in (None, {"score": "int64"}):
        job = Scored(INPUTS, answers, KEPT, result=JSON_LINES)
        job.associate(error_member="error", max_dead=1, predictions=predictions)

        assert [(row["id"], row["score"]) for row in job.rows()] == [("a", 1), ("c", 3), ("d", 4), ("e", 5)]
        [(key, record, reason, answer)] = told(job)
        assert (key, record, reason) == ("b", 2, 'error: {"code":7}')
        assert json.loads(answer)["score"] is None


@pytest.mark.parametrize(
    ("answers", "columns"),
    [
        ([b'{"error": "no x"}\n[1, 2]\n[3, 4]\n', b"[5, 6]\n[7, 8]\n"], ["prediction_0", "prediction_1"]),
        ([b'{"error": "no x"}\n1\nnull\n', b"5\n7\n"], ["prediction"]),
        ([b'[{"error": "no x"}, 1, 2]', b"[5, 7]"], ["prediction"]),
    ],
    ids=["lists", "values", "in a list"],
)
def test_answers_that_are_no_objects_may_be_refused_by_one(answers: list[bytes], columns: list[str]) -> None:
    job = Scored(INPUTS, answers, KEPT, result=JSON_LINES)
    job.associate(error_member="error", max_dead=1)

    assert [list(row) for row in job.rows()] == [["id", *columns]] * 4
    assert [row["id"] for row in job.rows()] == ["b", "c", "d", "e"]
    assert [row[:3] for row in told(job)] == [("a", 1, "error: no x")]


@pytest.mark.parametrize(
    ("answers", "told_of"),
    [(b"1,\n,no x\n3,\n", {"accept": "text/csv"}), (b"no", {"accept": "text/plain", "split_type": "None"})],
    ids=["csv", "whole"],
)
def test_a_column_that_no_answer_has_can_refuse_none(answers: bytes, told_of: dict[str, str]) -> None:
    kind = {"content_type": "image/png"} if "split_type" in told_of else {}
    job = Scored(INPUTS[:1], [answers], None, result={**told_of, **kind})

    with pytest.raises(InvalidInput) as caught:
        job.associate(error_member="err", max_dead=5)
    assert [problem.field for problem in caught.value.problems] == ["error_member"]
    assert job.bodies() == {}


def test_refused_records_are_too_many_by_default() -> None:
    job = Scored(INPUTS, [b"1,\n,no x\n3,\n", b"4,\n5,\n"], KEPT)

    with pytest.raises(TooManyDeadLetters):
        job.associate(predictions=["score", "error"], error_member="error")
    assert [row[0] for row in told(job)] == ["b"]


def test_both_reasons_are_told_in_the_order_of_the_rows_of_each_batch() -> None:
    job = Scored(INPUTS, [b"x,\n,no\n3,\n", b"4,\n5,\n"], KEPT)
    job.associate(predictions={"score": "int64", "error": None}, error_member="error", max_dead=2)

    assert [(row[0], row[1]) for row in told(job)] == [("a", 1), ("b", 2)]
    assert [row["score"] for row in job.rows()] == [3, 4, 5]


def test_rows_of_an_input_without_output_are_dead_where_that_is_asked_for() -> None:
    job = Scored(INPUTS, [b"1\n2\n3\n", None], KEPT)
    job.on_record()
    with pytest.raises(OutputMissing):
        job.associate()

    output = job.associate(on_missing="dead_letter", max_dead="50%")

    assert told(job) == [
        (key, number, f"job job-1 left no output of {job.source(1)}", None) for number, key in enumerate("de", 1)
    ]
    assert (output.rows, output.dead_rows) == (3, 2)
    assert [row["id"] for row in job.rows()] == ["a", "b", "c"]


def test_the_cells_of_an_input_without_output_stand_among_the_dead() -> None:
    job = Scored([b"a,1\nb,2\n", b"c,3\n"], [b"5\n6\n", None])
    job.on_record()
    job.associate(on_missing="dead_letter", max_dead=1, input_columns=["id", "x"])

    assert [(row["id"], row["x"], row["_record"]) for row in job.dead()] == [("c", "3", 1)]


def test_dead_cells_of_an_input_are_text() -> None:
    job = Scored([b"a,1\nb,2\n"], [b"5\nx\n"])
    job.associate(max_dead=1, input_columns=["id", "x"], predictions={"score": "int64"})

    assert [(row["id"], row["x"], row["_answer"]) for row in job.dead()] == [("b", "2", "x")]
    assert job.rows() == [{"id": "a", "x": 1, "score": 5}]


def test_counts_are_proved_all_the_same() -> None:
    job = Scored(INPUTS, [b"x\ny\n", b"4\n5\n"], KEPT)

    with pytest.raises(RowCountMismatch):
        job.associate(predictions={"score": "double"}, max_dead=1.0)
    assert job.bodies() == {}


def test_all_rows_may_be_dead() -> None:
    job = Scored(INPUTS, [b"x\ny\nz\n", b"4\n5\n"], KEPT)
    job.associate(predictions={"score": "double"}, max_dead=1.0)

    assert [part.rows for part in job.manifest().parts] == [0, 2]
    assert [row[0] for row in told(job)] == ["a", "b", "c"]


def test_columns_of_the_names_of_their_own_are_refused() -> None:
    job = Scored([b"x\n"], [b"1\n"], [pa.table({"_reason": ["?"]})])
    job.associate()

    with pytest.raises(InvalidInput, match="_reason"):
        job.associate(max_dead=1)
