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
from airflow_batchtx.association.narrowing import held, narrowest
from airflow_batchtx.association.typed_cells import Watched
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import OpenObject
from tests.scored import Scored

PART = S3Uri("b", "scored/part-00000.parquet")


def as_csv(records: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(records)
    return file.getvalue().encode()


def strange(body: bytes, size: int = 1000) -> bool:
    watched = Watched(OpenObject(body))
    while watched.read(size):
        pass
    return watched.strange


PLAIN = [b"1,0.5,x\n-2,-0.5,\n", b"0,0,0\n", b"10,100,1.07\n", b"", b'"a","b"\n', b"1e5,.5,x-0123\n", b"inf,nan,-inf\n"]
STRANGE = [
    b"1,007\n", b"01,1\n", b'"00",1\n', b"1,0x1F\n", b"1,-0\n", b"-01,1\n", b"1,+5\n", b" 1,2\n", b"1 ,2\n", b"1\t\n",
    b"1, 2", b"1,2 ", b'{"a":1}\n', b"\n [1]\n", b"\xef\xbb\xbf1,2\n", b"a\n00",
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("body", PLAIN)
def test_plain_cells_are_taken(body: bytes, size: int) -> None:
    assert not strange(body, size)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("body", STRANGE)
def test_what_a_parser_of_numbers_would_take_for_others_is_seen(body: bytes, size: int) -> None:
    if body.startswith((b"\n [", b'{"', b"\xef")) and size < len(body):
        pytest.skip("only the first bytes tell")
    assert strange(body, size)


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
