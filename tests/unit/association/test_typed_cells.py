from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.association import typed_cells
from airflow_batchtx.association.columns import Columns
from airflow_batchtx.association.csv_answers import CsvAnswers
from airflow_batchtx.association.narrowing import held, narrowest
from airflow_batchtx.association.objects import Inputs
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.reading import Reading
from airflow_batchtx.association.rows import CsvRows
from airflow_batchtx.association.typed_cells import Manner, Otherwise
from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.enums import SplitType
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject
from tests.fakes import OpenObject
from tests.scored import Scored

PART = S3Uri("b", "scored/part-00000.parquet")


def as_csv(records: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(records)
    return file.getvalue().encode()


def plain(cells: bytes, kind: str, *texts: str) -> list[Any]:
    """Read one column so, beside answers that are plain."""
    job = Scored([cells], [b"0.5\n" * cells.count(b"\n")])
    pair = Pair(job.source(0), StoredObject(job.target(0), 1, ""))
    reading = Reading(CsvRows(Inputs("text/csv", SplitType.LINE, gzip=False), ("a",)), CsvAnswers({"p": None}))
    columns = Columns(reading, {"a": kind, "p": "double"})
    batches = typed_cells.rows(job.store, pair, columns, Manner(frozenset(texts), quoted=b'"' in cells))
    return [value for batch in batches for value in batch.column("a").to_pylist()]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (b"1\n-2\n0\n", "int64", [1, -2, 0]),
        (b"0.5\n-1.25\n1e-3\n", "double", [0.5, -1.25, 0.001]),
        (b"007\nx\n", "string", ["007", "x"]),
        (b"9223372036854775807\n", "int64", [2**63 - 1]),
    ],
)
def test_plain_cells_are_taken(cells: bytes, kind: str, values: list[Any]) -> None:
    assert plain(cells, kind) == values


@pytest.mark.parametrize("cell", [b"007", b"0x10", b"-0", b"+5", b" 5", b"5 ", b"0.5", b"9223372036854775808", b"x"])
def test_whole_numbers_are_looked_at_as_text(cell: bytes) -> None:
    with pytest.raises((MalformedRecord, pa.ArrowInvalid)):
        plain(b"1\n" + cell + b"\n", "int64")


@pytest.mark.parametrize("cell", [b"5", b"0", b"-0", b"1e3", b"9007199254740991", b"5.0", b"-7"])
def test_whole_numbers_among_others_are_searched_for_codes(cell: bytes) -> None:
    assert plain(b"0.5\n" + cell + b"\n", "double") == [0.5, float(cell)]


@pytest.mark.parametrize("cell", [b"007", b"00", b"9007199254740993", b"-9007199254740992", b"inf", b'"01"'])
@pytest.mark.parametrize(
    "form", [b"0.5\n%b\n", b"%b\n0.5\n", b"0.5\n" * 700_000 + b"%b\n"], ids=["last", "first", "far"]
)
def test_codes_among_others_are_told_of(cell: bytes, form: bytes) -> None:
    with pytest.raises(Otherwise) as caught:
        plain(form % cell, "double")
    assert caught.value.manner.texts == {"a"}


@pytest.mark.parametrize("size", range(1, 15))
def test_a_code_over_the_border_of_two_pieces_is_found(size: int) -> None:
    source = typed_cells.Source(OpenObject(b"0.5,\n1,007,\n"))
    source.release()
    pieces = sum(1 for _ in iter(lambda: source.read(size), b""))
    assert [source.may_hold_codes(number) for number in range(pieces + 2)].count(True) == 1
    for number in range(pieces):
        source.forget(number)
    assert not any(source.may_hold_codes(number) for number in range(pieces))


def test_where_a_quote_turns_up_cells_may_hold_line_breaks() -> None:
    body = b"0.5,x\n" * 200_000 + b'1.5,"a\nb"\n'
    job = Scored([body], [b"0.25\n" * 200_001])
    job.associate(input_columns=["a", "b"], predictions={"p": "double"})

    table = pq.read_table(io.BytesIO(job.store.get(PART)))
    assert (len(table), table["b"][-1].as_py(), str(table.schema.field("a").type)) == (200_001, "a\nb", "double")


def test_few_pieces_are_read_ahead() -> None:
    class Counted(OpenObject):
        read_ahead = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.read_ahead += 1
            return super().read(size)

    body = Counted(b"0.5\n" * 5_000_000)
    source = typed_cells.Source(body)
    columns = {"a": pa.float64()}
    most = 0
    with typed_cells._opened(source, columns, quoted=False) as reader:
        for number, _ in enumerate(reader):
            most = max(most, body.read_ahead - number)
            source.forget(number - 1)
        assert number == len(body.getbuffer()) // typed_cells.PIECE

    assert most <= typed_cells.AHEAD + 1


def test_columns_are_read_as_text_where_that_is_said() -> None:
    assert plain(b"0.5\n5\n", "double", "a") == [0.5, 5]
    with pytest.raises(MalformedRecord):
        plain(b"0.5\n007\n", "double", "a")


@pytest.mark.parametrize("start", [b'{"a":1}\n', b"\n [1]\n"])
def test_json_is_no_csv(start: bytes) -> None:
    with pytest.raises(MalformedRecord):
        plain(start, "string")


def test_numbers_are_read_as_such() -> None:
    job = Scored([b"7,0.5,x\n8,,\n"], [b"0.25,1\n,2\n"])
    job.associate(input_columns=["a", "b", "c"], predictions={"p": "double", "q": None})

    table = pq.read_table(io.BytesIO(job.store.get(PART)))
    assert table.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.float64(), pa.int64()]
    assert table.to_pylist() == [
        {"a": 7, "b": 0.5, "c": "x", "p": 0.25, "q": 1},
        {"a": 8, "b": None, "c": "", "p": None, "q": 2},
    ]


CELLS = [
    "1", "0", "-1", "007", "-0", "0x10", "+5", " 5", "5 ", "1e3", ".5", "5.", "nan", "NaN", "NA", "null",
    "inf", "-inf", "", "a", "0.10", "9007199254740993", "9223372036854775808", "9223372036854775807",
    "-9007199254740992", "00.5", "1_0", '"', ",", "\n7", "true", "é",
]  # fmt: skip
# Columns of one kind of cells, so that numbers are met as often as texts.
columns = st.sampled_from([["1", "0", "-1", ""], ["0.5", "1", "1e3", ""], ["0.5", "nan", "inf"], CELLS]).flatmap(
    lambda cells: st.lists(st.sampled_from(cells), min_size=4, max_size=4)
)


@settings(deadline=None)
@given(columns, columns, columns, columns)
def test_it_is_what_narrowing_makes_of_the_texts(a: list[str], b: list[str], p: list[str], q: list[str]) -> None:
    named = {"a": a, "b": b, "p": p, "q": q}
    job = Scored(
        [as_csv([*zip(named["a"], named["b"], strict=True)])], [as_csv([*zip(named["p"], named["q"], strict=True)])]
    )

    job.associate(input_columns=["a", "b"], predictions=["p", "q"])

    table = pq.read_table(io.BytesIO(job.store.get(PART)))
    for name, cells in named.items():
        texts = pa.array(cells, pa.string())
        kind = narrowest(texts, "int64")
        assert str(table.schema.field(name).type) == kind
        assert told(table[name]) == told(held(texts, kind))


def told(column: Any) -> list[object]:
    return ["nan" if isinstance(value, float) and math.isnan(value) else value for value in column.to_pylist()]


def test_kinds_that_are_not_found_in_text_are_read_as_text() -> None:
    job = Scored([b"7,0.5\n"], [b"true\n"])
    job.associate(input_columns=["a", "b"], predictions={"p": "bool"})

    assert job.rows() == [{"a": 7, "b": 0.5, "p": True}]
    assert set(typed_cells.KINDS) == {"int64", "double", "string"}
