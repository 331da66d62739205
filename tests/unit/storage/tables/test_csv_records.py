from __future__ import annotations

import csv
import gzip
import io
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.tables.csv_records import BLOCK, Damage, batches, damages, head, looks_like
from tests.fakes import InMemoryStore

URI = S3Uri("b", "k")


def store(body: bytes) -> InMemoryStore:
    return InMemoryStore({str(URI): body})


def read(body: bytes, *columns: str, header: bool = True) -> list[tuple[str, ...]]:
    with store(body).reader(URI) as source:
        table = pa.Table.from_batches(list(batches(source, columns, header=header)))
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a,b\n1,2\n", [("1", "2")]),
        (b"a,b\r\n007,1.10\r\nNA,\r\n", [("007", "1.10"), ("NA", "")]),
        (b"\xef\xbb\xbfa,b\n1,2", [("1", "2")]),
        (b'b,a\n"x\ny","q""z"\n', [('q"z', "x\ny")]),
        (b"\n\na,b\n\n1,2\n\n", [("1", "2")]),
        (b"c,b,a\nx,2,1\n", [("1", "2")]),
    ],
)
def test_cells_are_the_text_that_was_written(body: bytes, expected: list[tuple[str, ...]]) -> None:
    assert read(body, "a", "b") == expected


def test_without_a_header_every_line_is_a_record() -> None:
    assert read(b"a,b\n1,2\n", "x", "y", header=False) == [("a", "b"), ("1", "2")]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_what_python_writes_is_read(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("a", "b"), *rows])

    assert read(file.getvalue().encode(), "a", "b") == rows


def test_objects_of_many_blocks_are_read() -> None:
    lines = [f"{number},{'x' * (number % 50)}" for number in range(300_000)]
    body = "\n".join(["a,b", *lines]).encode()
    assert len(body) > 2 * BLOCK

    assert [",".join(row) for row in read(body, "a", "b")] == lines


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"", ()), (b"\n\n", ()), (b"a,b", ("a", "b")), (b'\xef\xbb\xbf"a\nb",c\r\n1', ("a\nb", "c"))],
)
def test_the_head_is_the_first_record(body: bytes, expected: tuple[str, ...]) -> None:
    assert head(store(body), URI) == expected


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (gzip.compress(b"a", mtime=0), "gzip"),
        (b"PAR1....", "Parquet"),
        (b"PK\x03\x04....", "zip"),
        (b"a,b\0", "binary"),
        (b"a,\xff\n", "utf-8"),
        (b"a,\xc3", "utf-8"),
    ],
)
def test_what_is_no_csv_is_named(body: bytes, named: str) -> None:
    with pytest.raises(MalformedRecord, match=named):
        head(store(body), URI)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"a,b\n1,2\n\n3\n4,5,6\n7,8\n",
            [
                Damage("has 1 cells, where 2 are expected", "3", 2),
                Damage("has 3 cells, where 2 are expected", "4,5,6", 3),
            ],
        ),
        (b"a,b\n1,2\n3,\xff\n", [Damage("is not UTF-8", b"\xff", 2, "b")]),
        (b"\xef\xbb\xbfa,b\n1,2\n3,\xff\n", [Damage("is not UTF-8", b"\xff", 2, "b")]),
        (b"a,b\n1,2\n3,\xff\xfe,4\n", [Damage("has 3 cells, where 2 are expected", b"3,\xff\xfe,4", 2)]),
        ("a,b\n1,2\nä,€,4\n".encode(), [Damage("has 3 cells, where 2 are expected", "ä,€,4", 2)]),
        (b"a,b\n1,2\n", []),
    ],
)
def test_damaged_records_are_named(body: bytes, expected: list[Damage]) -> None:
    assert damages(store(body), URI, ("a", "b"), header=True) == expected


def test_without_a_header_records_are_counted_from_the_first_line() -> None:
    [damage] = damages(store(b"1,2\n3\n"), URI, ("a", "b"), header=False)

    assert damage.record == 2


def test_a_record_of_more_than_two_blocks_is_named() -> None:
    body = b"a\n" + b"x" * (2 * BLOCK)

    with pytest.raises(pa.ArrowInvalid):
        read(body, "a")
    [damage] = damages(store(body), URI, ("a",), header=True)
    assert "cannot be read" in damage.rule


def test_not_more_than_ten_are_named() -> None:
    assert len(damages(store(b"a,b\n" + b"1\n" * 99), URI, ("a", "b"), header=True)) == 10


def test_columns_of_any_name_are_found_again() -> None:
    body = "ä,€\n1,ö\n2,".encode() + b"\xff\n"

    assert damages(store(body), URI, ("€", "ä"), header=True) == [Damage("is not UTF-8", b"\xff", 2, "€")]


@given(st.binary(max_size=40))
@pytest.mark.filterwarnings("error")
def test_any_bytes_are_told_of_by_name(body: bytes) -> None:
    raised: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, raised.append
    try:
        damages(store(b"a,b\n" + body), URI, ("a", "b"), header=True)
    finally:
        sys.unraisablehook = before

    assert not raised


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (['{"a":1', '"b":2}'], "JSON Lines"),
        (["[1", "2]"], "JSON"),
        ([" <table>"], "XML or HTML"),
        (["a;b"], "a table whose cells are separated by semicolons"),
        (["a\tb"], "a table whose cells are separated by tabs"),
        (["a|b"], "a table whose cells are separated by bars"),
        (["a;b", "c"], None),
        (["a"], None),
        ([], None),
    ],
)
def test_what_is_no_csv_with_commas_looks_like_something(cells: list[str], expected: str | None) -> None:
    assert looks_like(cells) == expected


def test_where_no_damage_is_found_its_cause_is_told() -> None:
    [damage] = damages(store(b"a\n1\n"), URI, ("a",), header=True, cause=ValueError("straddling"))

    assert damage == Damage("holds a record that cannot be read: straddling", None)
