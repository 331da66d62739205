from __future__ import annotations

import csv
import io
import random
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.storage.tables.csv_text import blanks_as_nulls, is_textual, line_breaks, lines, plain_lines

BERLIN = timezone(timedelta(hours=1))


def written(**columns: object) -> str:
    return bytes(lines(pa.RecordBatch.from_pydict(columns))).decode()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([2**63 - 1, -1]), "9223372036854775807\n-1\n"),
        (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615\n"),
        (pa.array([0.1, 1.0, 1e20, -0.0, 1e-7]), "0.1\n1\n1e+20\n-0\n1e-7\n"),
        (pa.array([0.1], pa.float32()), "0.1\n"),
        (pa.array([float("nan"), float("inf")]), "nan\ninf\n"),
        (pa.array([True, False]), "true\nfalse\n"),
        (pa.array([Decimal("1.10")]), "1.10\n"),
        (pa.array([date(2026, 1, 2)]), "2026-01-02\n"),
        (pa.array([time(1, 2, 3)]), "01:02:03.000000\n"),
        (pa.array([1_767_323_045], pa.timestamp("s")), "2026-01-02T03:04:05\n"),
        (
            pa.array([datetime(2026, 1, 2, 3, tzinfo=BERLIN)], pa.timestamp("ms", "Europe/Berlin")),
            "2026-01-02T02:00:00.000Z\n",
        ),
        (pa.array(["x", "y"]).dictionary_encode(), "x\ny\n"),
        (pa.array(["x"], pa.large_string()), "x\n"),
        (pa.array(["x"], pa.string_view()), "x\n"),
    ],
    ids=str,
)
def test_values_are_written_so_that_they_read_back(column: pa.Array, expected: str) -> None:
    assert is_textual(column.type)
    assert written(x=column) == expected
    assert written(x=column, y=["a,b"] * len(column)) == expected.replace("\n", ',"a,b"\n')


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.binary(), pa.duration("s")], ids=str
)
def test_what_no_cell_holds_is_told(kind: pa.DataType) -> None:
    assert not is_textual(kind)


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("digits", [0, 1, 5])
def test_numbers_of_which_many_are_alike_are_written_as_any_others(digits: int, kind: pa.DataType) -> None:
    chance = random.Random(digits)
    some = [None, 0.0, -0.0, float("nan"), *(round(chance.gauss(0, 1), digits) for _ in range(2_000))]
    parts = [pa.RecordBatch.from_pydict({"x": pa.array(some, kind), "y": ["a"] * len(some)}) for _ in range(5)]

    together = pa.RecordBatch.from_pydict({"x": pa.array(some * 5, kind), "y": ["a"] * len(some) * 5})

    # Of a few numbers each is written by itself.
    assert bytes(lines(together)) == b"".join(
        bytes(lines(part.slice(at, 9))) for part in parts for at in range(0, len(some), 9)
    )


def test_text_stays_as_it_was() -> None:
    assert written(a=["007", "1.10", " x "], b=["", None, "é"]) == "007,\n1.10,\n x ,é\n"


def test_a_lone_empty_cell_is_no_empty_line() -> None:
    assert written(a=["", None, "x"]) == '""\n""\nx\n'
    assert written(a=[1, None]) == '1\n""\n'


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_any_text_is_read_back_by_any_reader(rows: list[tuple[str, str]]) -> None:
    first, second = zip(*rows, strict=True)

    read = csv.reader(io.StringIO(written(a=list(first), b=list(second)), newline=""))

    assert [tuple(row) for row in read] == rows


def test_quotes_stand_only_where_they_must() -> None:
    assert plain_lines(pa.RecordBatch.from_pydict({"a": ["x"]})) is not None
    assert plain_lines(pa.RecordBatch.from_pydict({"a": ['x"']})) is None
    assert written(a=["x", 'y"', "z\n"]) == 'x\n"y"""\n"z\n"\n'


def test_line_breaks_are_found() -> None:
    batch = pa.RecordBatch.from_pydict({"a": ["x", "y\n"], "n": [1, 2], "b": ["z\r", None]})

    assert list(line_breaks(batch)) == [(1, "a", "y\n"), (0, "b", "z\r")]


def test_empty_text_becomes_null() -> None:
    assert blanks_as_nulls(pa.array(["", "a", "\n", None])).to_pylist() == [None, "a", "\n", None]
    assert blanks_as_nulls(pa.array([], pa.string())).to_pylist() == []


@given(st.lists(st.none() | st.text(st.sampled_from("ab\r\n"), max_size=3), max_size=8), st.integers(0, 4))
def test_every_line_break_is_found_in_any_slice(cells: list[str | None], start: int) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(cells, pa.string())], names=["x"]).slice(start)

    expected = [(row, cell) for row, cell in enumerate(cells[start:]) if cell and ("\r" in cell or "\n" in cell)]
    assert [(row, cell) for row, _, cell in line_breaks(batch)] == expected
