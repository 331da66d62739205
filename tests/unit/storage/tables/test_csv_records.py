from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.tables.chunks import Chunk, Damage
from airflow_batchtx.storage.tables.csv_dialect import Dialect
from airflow_batchtx.storage.tables.csv_records import BLOCK, batches, chunks, damages, head, looks_like
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


@pytest.mark.parametrize("odd", ["", "3,\n", "7" * (BLOCK // 2)], ids=["plain", "quoted", "long"])
def test_records_of_many_blocks_keep_their_order(odd: str) -> None:
    rows = [(str(number), str(-number)) for number in range(400_000)]
    rows[300_000] = (odd, "0")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)

    assert read(text.getvalue().encode(), "a", "b", header=False) == rows


def test_blocks_without_a_record_are_passed_over() -> None:
    assert read(b"1\n" + b"\n" * (2 * BLOCK) + b"2\n", "a", header=False) == [("1",), ("2",)]
    with store(b"\r\n\n").reader(URI) as source:
        assert sum(batch.num_rows for batch in batches(source, ["a"], header=False)) == 0


@pytest.mark.parametrize("quoted", [b"", b'""'], ids=["plain", "quoted"])
def test_a_byte_order_mark_within_an_object_is_text(quoted: bytes) -> None:
    lines = [b"\xef\xbb\xbf%07d" % number for number in range(300_000)]
    lines[200_000] += quoted

    assert [row.encode() for (row,) in read(b"\n".join([b"first", *lines]), "a", header=False)] == [b"first", *lines]


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
    found = damages(store(body), URI, ("a", "b"), header=True)

    assert [replace(damage, text=None) for damage in found] == expected


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

    [damage] = damages(store(body), URI, ("€", "ä"), header=True)

    assert damage == Damage("is not UTF-8", b"\xff", 2, "€", "\\xff,2")


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


# ------------------------------------------------------------------------------------------------------ dialects

DIALECTS: dict[str, tuple[bytes, Dialect]] = {
    "semicolons": (b'a;b\n"1;1";2,5\n', Dialect(";")),
    "tabs": (b'a\tb\n"1\t1"\t2,5\n', Dialect("\t")),
    "bars": (b"a|b\n'1|1'|2,5\n", Dialect("|", "'")),
    "doubled quotes": (b"a,b\n'it''s',2\n", Dialect(",", "'")),
    "no quotes": (b'a,b\n"1,2"\n', Dialect(",", None)),
    "quotes of another dialect": (b"a;b\n\"1;2'\n", Dialect(";", "'")),
    "line breaks in cells": (b"a;b\r\n'1\r\n1';2\r\n", Dialect(";", "'")),
}
EXPECTED: dict[str, tuple[str, str]] = {
    "semicolons": ("1;1", "2,5"),
    "tabs": ("1\t1", "2,5"),
    "bars": ("1|1", "2,5"),
    "doubled quotes": ("it's", "2"),
    "no quotes": ('"1', '2"'),
    "quotes of another dialect": ('"1', "2'"),
    "line breaks in cells": ("1\r\n1", "2"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_read(name: str) -> None:
    body, dialect = DIALECTS[name]
    with store(body).reader(URI) as source:
        [row] = pa.Table.from_batches(list(batches(source, ("a", "b"), header=True, dialect=dialect))).to_pylist()

    assert head(store(body), URI, dialect) == ("a", "b")
    assert (row["a"], row["b"]) == EXPECTED[name]


class Metered(InMemoryStore):
    """A store that knows how many bytes of an object were read."""

    def __init__(self, body: bytes) -> None:
        super().__init__({str(URI): body})

    @contextmanager
    def reader(self, uri: S3Uri) -> Iterator[Any]:
        with super().reader(uri) as source:
            yield source
            self.read = source.tell()


@pytest.mark.parametrize(("names", "most"), [(2, 64 * 1024), (20_000, 2 * 1024 * 1024)])
def test_no_more_is_read_for_a_head_than_it_takes(names: int, most: int) -> None:
    expected = tuple(f'x"{number}' for number in range(names))
    header = ",".join('"{}"'.format(name.replace('"', '""')) for name in expected)
    table = Metered(f"{header}\n".encode() + b"1,2\n" * 1_000_000)

    assert head(table, URI) == expected
    assert table.read <= most


def test_the_head_may_be_compressed() -> None:
    assert head(store(gzip.compress(b"a,b\n", mtime=0)), URI, compression="gzip") == ("a", "b")


@pytest.mark.parametrize(
    ("cells", "delimiter", "expected"),
    [
        (["a,b"], ";", "a table whose cells are separated by commas"),
        (["a\tb"], ";", "a table whose cells are separated by tabs"),
        (["a;b"], ";", None),
    ],
)
def test_what_is_no_csv_of_a_dialect_looks_like_something(
    cells: list[str], delimiter: str, expected: str | None
) -> None:
    assert looks_like(cells, Dialect(delimiter)) == expected


# ------------------------------------------------------------------------------------- rows that are whole, and others


def salvage(body: bytes, **options: Any) -> list[Chunk]:
    return list(chunks(store(body), URI, ("a", "b"), **{"header": True, "most": None, **options}))


def rows_of(found: list[Chunk]) -> list[tuple[int, str, str]]:
    batches = [
        (number, row) for chunk in found for number, row in zip(chunk.numbers, chunk.batch.to_pylist(), strict=True)
    ]
    return [(number, row["a"], row["b"]) for number, row in batches]


def test_damaged_rows_are_apart_and_the_others_keep_their_numbers() -> None:
    found = salvage("a,b\n1,ä\n\n2\n3,4,5\n6,".encode() + b"\xff\n'7,8'\n\"9\n\",10\n11\n")

    assert rows_of(found) == [(1, "1", "ä"), (5, "'7", "8'"), (6, "9\n", "10")]
    damaged = [damage for chunk in found for damage in chunk.damaged]
    assert [(damage.record, damage.text) for damage in damaged] == [(2, "2"), (3, "3,4,5"), (4, "6,\\xff"), (7, "11")]


def test_a_row_is_shown_in_its_dialect() -> None:
    [found] = salvage(b'b;a\n1;"2;2"\n', dialect=Dialect(";"))

    assert found.written(0) == '"2;2";1'


def test_damage_behind_many_blocks_is_apart() -> None:
    lines = [f"{number},{'x' * (number % 50)}" for number in range(300_000)]
    lines[200_000] = "ragged"
    body = "\n".join(["a,b", *lines]).encode()
    assert len(body) > 3 * BLOCK
    found = salvage(gzip.compress(body, mtime=0), compression="gzip")

    rows = rows_of(found)
    assert [f"{a},{b}" for _, a, b in rows] == [line for line in lines if line != "ragged"]
    assert [number for number, _, _ in rows] == [number for number in range(1, 300_001) if number != 200_001]
    assert [damage.record for chunk in found for damage in chunk.damaged] == [200_001]
    ends = [chunk.end for chunk in found]
    assert ends == sorted(ends)


@pytest.mark.parametrize("odd", [b"", b'"'], ids=["plain", "quoted"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_chunks_tell_how_far_the_object_is_read(odd: bytes, header: bool, compression: str | None) -> None:
    lines = [b"%06d,%s%06d%s" % (number, odd, number, odd) for number in range(400_000)]
    body = b"\n".join([b"a,b", *lines])
    text = gzip.compress(body, mtime=0) if compression else body
    found = salvage(text, header=header, compression=compression)

    assert len(body) > 2 * BLOCK
    for chunk in found:
        assert abs(chunk.end / len(text) - chunk.numbers[-1] / len(lines)) < BLOCK / len(body)
    assert found[-1].end == len(text)


def test_no_more_damage_is_looked_for_than_asked() -> None:
    found = salvage(b"a,b\n" + b"1\n" * 99, most=3)

    assert sum(len(chunk.damaged) for chunk in found) == 3


def test_what_cannot_be_read_behind_has_no_number() -> None:
    found = salvage(b"a,b\n1,2\n3\n" + b"x" * (2 * BLOCK))

    assert [damage.record for chunk in found for damage in chunk.damaged] == [2, None]


TABLE_CELLS = st.text(st.sampled_from('a,"\n\r ä'), max_size=3)
ODD = st.sampled_from([b"1", b"1,2,3", b"\xff,1", b"1,\xff", b"\xff"])


@given(st.lists(st.tuples(TABLE_CELLS, TABLE_CELLS) | ODD, min_size=1, max_size=12))
def test_every_record_is_a_row_or_apart(records: list[Any]) -> None:
    body = io.BytesIO(b"a,b\n")
    body.seek(0, io.SEEK_END)
    for record in records:
        if isinstance(record, bytes):
            body.write(record + b"\n")
        else:
            line = io.StringIO(newline="")
            csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(record)
            body.write(line.getvalue().encode())
    found = salvage(body.getvalue())

    numbered = list(enumerate(records, 1))
    assert rows_of(found) == [(number, *record) for number, record in numbered if not isinstance(record, bytes)]
    damaged = [damage.record for chunk in found for damage in chunk.damaged]
    assert damaged == [number for number, record in numbered if isinstance(record, bytes)]
