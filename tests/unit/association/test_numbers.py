"""Columns of CSV that come as doubles in one block and as text in another: nobody can tell from what is written."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.association.columns import columns_of
from airflow_batchtx.association.pairing import by_name
from airflow_batchtx.association.parts import Task, _reading
from airflow_batchtx.association.reading import answered, planned
from airflow_batchtx.errors import TooManyDeadLetters
from airflow_batchtx.storage.tables.csv_records import PIECE
from tests.scored import Scored

# Fractions fill a block, and whole numbers come behind them: too many to look at each.
FRACTIONS = [f"{number}.0123456789125" for number in range(60_000)]
SCORES = [*FRACTIONS, *map(str, range(10_000))]
IDS = [f"id {number}" for number in range(len(SCORES))]
SCORE = {"score": "double"}


def lines(*columns: list[str]) -> bytes:
    return "".join(",".join(cells) + "\n" for cells in zip(*columns, strict=True)).encode()


def test_the_numbers_fill_several_blocks() -> None:
    assert PIECE < len(lines(FRACTIONS)) < 2 * PIECE


@pytest.mark.parametrize("options", [{"predictions": SCORE}, {"predictions": ["score"]}], ids=["given", "found"])
@pytest.mark.parametrize("form", ["parquet", "csv", "jsonlines"])
def test_a_part_holds_both(form: str, options: dict[str, Any]) -> None:
    job = Scored([lines(IDS)], [lines(SCORES)])
    job.associate(input_columns=["id"], format=form, **options)

    assert job.manifest().columns == {"id": "string", "score": "double"}
    assert job.rows() == [{"id": key, "score": float(score)} for key, score in zip(IDS, SCORES, strict=True)]


def test_answers_in_another_order_are_held_together() -> None:
    job = Scored([lines(IDS[::-1])], [lines(IDS, SCORES)])
    job.associate(input_columns=["id"], predictions={"id": "string", **SCORE}, key="id")

    assert [row["score"] for row in job.rows()] == list(map(float, SCORES[::-1]))


def test_a_code_far_down_makes_text_of_all() -> None:
    scores = [*FRACTIONS, "007"]
    job = Scored([lines(IDS[: len(scores)])], [lines(scores)])
    job.associate(input_columns=["id"])

    assert [row["prediction"] for row in job.rows()] == scores


def test_behind_a_quote_numbers_come_as_text() -> None:
    scores = [*SCORES, '"0.5"']
    job = Scored([lines([*IDS, "last"])], [lines(scores)])
    job.associate(input_columns=["id"])

    assert [row["prediction"] for row in job.rows()] == [*map(float, SCORES), 0.5]


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        ({"predictions": {**SCORE, "note": "int64"}, "max_dead": 1}, b"0.50,x\n0.25,1\n"),
        ({"predictions": {**SCORE, "note": None}, "error_member": "note"}, b"0.50,x\n0.25,\n"),
    ],
    ids=["misfit", "refused"],
)
def test_dead_letters_show_what_was_written(options: dict[str, Any], answers: bytes) -> None:
    job = Scored([b"a\nb\n"], [answers])
    with suppress(TooManyDeadLetters):
        job.associate(input_columns=["id"], **options)

    assert [row["_answer"] for row in job.dead()] == ['{"score":"0.50","note":"x"}']


@pytest.mark.parametrize(
    ("options", "kind"),
    [({"predictions": ["a", "score"]}, pa.float64()), ({"predictions": ["id", "score"], "key": "id"}, pa.string())],
    ids=["place", "key"],
)
def test_what_a_key_joins_stays_text(options: dict[str, Any], kind: pa.DataType) -> None:
    job = Scored([b"a,0.5\nb,0.25\n"], [b"a,1.5\nb,2.5\n"])
    request = job.request(input_columns=["id", "x"], **options)
    [pair] = by_name(job.store, request.result, None)
    reading = planned(job.store, request, [pair]).with_numbers({"x", "score"})

    [joined] = answered(job.store, pair, reading)

    assert [joined.answers.column(name).type for name in ("x", "score")] == [kind, kind]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [({}, {"score"}), ({"max_dead": 1}, set()), ({"error_member": "note"}, set())],
    ids=["plain", "misfits", "refused"],
)
def test_numbers_are_asked_for_where_no_dead_letter_shows_them(options: dict[str, Any], numbers: set[str]) -> None:
    job = Scored([b"a\n"], [b"0.5,x\n"])
    request = job.request(input_columns=["id"], predictions={**SCORE, "note": None}, **options)
    [pair] = by_name(job.store, request.result, None)
    columns = columns_of(request, planned(job.store, request, [pair]))

    answers: Any = _reading(Task(request, 0, pair, columns)).answers

    assert set(answers.numbers) == numbers
