"""CSV by pieces is CSV by rows, and both are what the csv module and a table in memory say."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_batchtx.errors import CountMismatch, MalformedRecord
from airflow_batchtx.records import csvformat, csvrows, jsonpath, lines

ROOT = jsonpath.parsed("$")
TEXT = st.text(alphabet='ab1.,"\\ \t\r\u00a0\u3000\u2003é東', max_size=5)
CELLS = st.sampled_from(["", "1", "0.25", "a,b", 'say "hi"', " x", "\\.", '"', ","]) | TEXT
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=12)
LINES = st.text(alphabet='a1,"\\. \r\n\u00a0\u3000ÿ', max_size=40)
SINGLE_LINES = st.text(alphabet='a1,"\\. \r', min_size=1, max_size=20)


def as_utf8(table: list[list[str]]) -> list[list[bytes]]:
    return [[cell.encode() for cell in row] for row in table]


def written(table: list[list[str]]) -> bytes:
    """Quote every cell, so that any table can be read back."""
    return b"".join(b",".join(b'"%s"' % cell.replace(b'"', b'""') for cell in row) + b"\n" for row in as_utf8(table))


def loosely_written(table: list[list[str]], quoting: list[bool]) -> bytes:
    """Quote where it must be, and where `quoting` says so."""
    whims = iter(quoting * 100 or [False] * 100)
    rows = [
        [b'"%s"' % cell.replace(b'"', b'""') if set(cell) & set(b',"') or next(whims) else cell for cell in row]
        for row in as_utf8(table)
    ]
    return b"".join(b",".join(row) + b"\n" for row in rows)


def outcome(shield: object, payload: bytes, hidden: bytes = b"\xfe") -> object:
    try:
        return shield(payload, hidden, "input")  # type: ignore[operator]  # either of the two under test
    except MalformedRecord as error:
        return error.detail


@given(text=LINES)
@example('"a"\n""\n"b,c","""x"""\n')
@example('"a""b\n')
@example('a,"b"c"\n')
@example('a"b"\n')
@example('"a\n"\n')
@example('1,"a\n')
@example('""""\n')
@example('"",""\n""')
@example(' a,"b"\n')
@example('"\\.",\\.\n')
@example('"\u3000a",\u3000b\n')
def test_pieces_are_shielded_as_rows_are(text: str) -> None:
    payload = lines.with_newlines(text.encode())

    for hidden in (b"\xfe", b","):  # a comma hides nothing: rows as they are written again
        assert outcome(csvrows.shielded, payload, hidden) == outcome(csvrows.shielded_by_row, payload, hidden)


@given(table=TABLES, quoting=st.lists(st.booleans(), max_size=7))
def test_tables_are_shielded_as_rows_are(table: list[list[str]], quoting: list[bool]) -> None:
    payload = lines.with_newlines(loosely_written(table, quoting))

    for hidden in (b"\xfe", b","):
        assert outcome(csvrows.shielded, payload, hidden) == outcome(csvrows.shielded_by_row, payload, hidden)


@given(row=st.lists(CELLS, min_size=1))
def test_rows_are_read_as_they_were_written(row: list[str]) -> None:
    cells = [cell.encode() for cell in row]

    assert csvrows.cells(csvrows.text(cells), "input") == cells


@given(line=SINGLE_LINES.filter(lambda line: not line.endswith("\r") and "\r" not in line))
def test_rows_that_are_read_agree_with_the_csv_module(line: str) -> None:
    try:
        read = csvrows.cells(line.encode(), "input")
    except MalformedRecord:
        return

    assert [[cell.decode() for cell in read]] == list(csv.reader(io.StringIO(line), strict=True))


@given(
    row=st.lists(CELLS.filter(lambda cell: not cell[:1].isspace() and cell != "\\." and "\r" not in cell), min_size=2)
)
def test_rows_are_written_as_the_csv_module_does(row: list[str]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(row)

    assert csvrows.text([cell.encode() for cell in row]) == buffer.getvalue().encode()


@given(table=TABLES, answers=TABLES, ended=st.booleans())
def test_a_join_is_the_join_of_the_tables(table: list[list[str]], answers: list[list[str]], ended: bool) -> None:
    count = min(len(table), len(answers))
    asked, told = as_utf8(table)[:count], as_utf8(answers)[:count]
    answer = written(answers[:count]) if ended else written(answers[:count]).removesuffix(b"\n")

    out = csvformat.joined(written(table[:count]), answer, ROOT)

    assert out == b"\n".join(csvrows.text(left + right) for left, right in zip(asked, told, strict=True))


@given(table=TABLES.filter(bool), path=st.sampled_from(["$[0]", "$[-1]", "$[0,-1]", "$[1:]", "$[3:]", "$[:1]", "$[*]"]))
def test_a_filter_is_the_filter_of_the_table(table: list[list[str]], path: str) -> None:
    picks = {
        "$[0]": lambda row: row[:1],
        "$[-1]": lambda row: row[-1:],
        "$[0,-1]": lambda row: [row[0], row[-1]],
        "$[1:]": lambda row: row[1:],
        "$[3:]": lambda row: row[3:],
        "$[:1]": lambda row: row[:1],
        "$[*]": lambda row: row,
    }

    out = csvformat.filtered(written(table), jsonpath.parsed(path), "input")

    assert out == b"".join(csvrows.text(picks[path](row)) + b"\n" for row in as_utf8(table))


@given(table=TABLES, answers=TABLES)
def test_unequal_counts_are_told(table: list[list[str]], answers: list[list[str]]) -> None:
    if len(table) == len(answers):
        answers = [*answers, ["one more"]]

    with pytest.raises(CountMismatch) as caught:
        csvformat.joined(written(table), written(answers), ROOT)

    assert (caught.value.sent, caught.value.answered) == (len(table), len(answers))


@pytest.mark.parametrize("cell", [b"0.25", b'"a,b"', b'"a"', b'"say ""hi"""', b" spaced", b"\\."])
def test_payloads_of_many_pieces(cell: bytes) -> None:
    rows = [b"%d,%s" % (number, cell) for number in range(60_000)]
    answers = [b"%d" % (2 * number) for number in range(60_000)]
    again = csvrows.text(csvrows.cells(cell, "input"))

    out = csvformat.joined(b"\n".join(rows) + b"\n", b"\n".join(answers), ROOT)

    assert out == b"\n".join(b"%d,%s,%d" % (number, again, 2 * number) for number in range(60_000))


def test_every_byte_value_but_the_last_free_one_can_occur() -> None:
    used = bytes(value for value in range(256) if value not in b'\n\r",z')

    assert csvrows.free_byte(used) == b"z"
    with pytest.raises(MalformedRecord):
        csvrows.free_byte(used + b"z")


def test_commas_within_quotes_survive_the_byte_that_hides_them() -> None:
    payload = b'1,"a,\xff,b",\xfe\n'

    assert csvformat.joined(payload, b'"c,d"\n', ROOT) == b'1,"a,\xff,b",\xfe,"c,d"'
