r"""CSV as Go's encoding/csv reads and writes it: RFC 4180, strict; quotes only where they are needed.

A row is one line: SplitType Line cuts inside a quoted cell that holds a newline, and the developer guide says that such
cells are not supported. Cells are bytes, of any encoding that agrees with ASCII.

Rows are worked on *shielded*: written as they will be written again, with the commas of quoted cells replaced by a byte
that occurs nowhere, so that each comma left parts two cells. Whole pieces of a payload can be shielded at the speed of
`bytes`, and cells are then cut, dropped and joined without a look at their quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.records import lines

# Unicode's White_Space in UTF-8: a cell that begins with one is written with quotes, and so is Postgres' end of data.
_SPACES = (
    *(b" ", b"\t", b"\v", b"\f", b"\xc2\x85", b"\xc2\xa0", b"\xe1\x9a\x80", b"\xe2\x81\x9f", b"\xe3\x80\x80"),
    *(b"\xe2\x80%c" % last for last in (*range(0x80, 0x8B), 0xA8, 0xA9, 0xAF)),
)
_END_OF_DATA = b"\\."
_SPECIAL = (*_SPACES, _END_OF_DATA)
_NEEDS_QUOTES = re.compile(rb'%s|\\\.\Z|[^",\r]*[",\r]' % b"|".join(_SPACES))

_CELL = rb'(?:"([^"]*(?:""[^"]*)*)"|([^",]*))'
_CELLS = re.compile(_CELL + rb",")
_ROW = re.compile(_CELL + rb"(?:,%s)*" % _CELL)
# In what is left of rows without their quoted cells, a quote for each of these: one with something beside it.
_QUOTE_WITHIN_CELL = re.compile(rb'"(?:(?![,\n"])|(?<![,\n"]"))')
_BUT_COMMAS_AND_QUOTES = bytes(byte for byte in range(256) if byte not in b',"')
_BLANK_END = b",\n"
_NEAR = 80


def cells(row: bytes, origin: str) -> list[bytes]:
    """Read a row; MalformedRecord, with `origin` in its text, where its quotes are wrong."""
    if b'"' not in row:
        return row.split(b",")
    if _ROW.fullmatch(row) is None:
        raise MalformedRecord(f"Failed to parse {origin} as CSV: {_fault(row)}")
    return [quoted.replace(b'""', b'"') or bare for quoted, bare in _CELLS.findall(row + b",")]


def text(row: Sequence[bytes], *, comma: bytes = b",") -> bytes:
    """Write a row, without a newline and with `comma` for the commas within quotes."""
    return b",".join([_quoted(cell).replace(b",", comma) if _NEEDS_QUOTES.match(cell) else cell for cell in row])


def free_byte(*payloads: bytes) -> bytes:
    """Give a byte that occurs in none of the payloads, to stand for the commas within quotes."""
    # From above: 0xFF, 0xFE and 0xFD occur in no UTF-8.
    for value in reversed(range(256)):
        if value not in b'",\r\n' and not any(value in payload for payload in payloads):
            return bytes((value,))
    raise MalformedRecord("Every byte value occurs: this is not CSV")


def shielded(payload: bytes, hidden: bytes, origin: str) -> list[bytes]:
    """Shield the rows of a payload whose lines end in a newline only; blank lines are left out."""
    quick = _quick(payload, hidden)
    return shielded_by_row(payload, hidden, origin) if quick is None else lines.filled(quick)


def ends_of_lines(payload: bytes, origin: str) -> list[bytes]:
    """Give rows as they end lines, with a comma before and a newline behind; nothing is hidden in them."""
    quick = _quick(payload, b",")
    if quick is None:
        return [b",%s\n" % row for row in shielded_by_row(payload, b",", origin)]
    ends = (b",%s\n" % quick.removesuffix(b"\n").replace(b"\n", b"\n,")).splitlines(keepends=True)
    return [end for end in ends if end != _BLANK_END] if _BLANK_END in ends else ends


def _quick(payload: bytes, hidden: bytes) -> bytes | None:
    return payload if _is_plain(payload) else _quickly_shielded(payload, hidden)


def shielded_by_row(payload: bytes, hidden: bytes, origin: str) -> list[bytes]:
    """Do what `shielded` does, cell by cell: slow, and the measure of what is right."""
    rows = [cells(line, origin) for line in lines.filled(payload)]
    return [text(row, comma=hidden) for row in rows]


def _is_plain(rows: bytes) -> bool:
    """Tell whether no cell has or needs quotes."""
    return b'"' not in rows and b"\r" not in rows and not _begins_specially(rows)


def _begins_specially(rows: bytes) -> bool:
    """Tell whether a cell begins with what makes quotes necessary."""
    # Looking for one byte is fifty times as fast as for two.
    marks = [mark for mark in _SPECIAL if mark[0] in rows]
    return any(rows.startswith(mark) or b"," + mark in rows or b"\n" + mark in rows for mark in marks)


def _quickly_shielded(rows: bytes, hidden: bytes) -> bytes | None:
    """Shield lines with quoted cells all at once; None where they need a closer look."""
    framed = b"\n%s\n" % rows.removesuffix(b"\n")
    bare, quoted = (parts := framed.split(b'"'))[0::2], parts[1::2]
    if b"" in quoted and b'\n""\n' in framed:
        return None  # an empty cell alone in its row: without its quotes it would be no row
    inside, outside = b'"'.join(quoted), b'"'.join(bare)
    # A newline is inside quotes also where the last of them never end.
    if b"\n" in inside or b"\r" in framed or _begins_specially(outside) or _QUOTE_WITHIN_CELL.search(outside):
        return None
    if b'""' in b'"%s"' % inside.translate(None, _BUT_COMMAS_AND_QUOTES):
        parts[1::2] = inside.replace(b",", hidden).split(b'"')
        return b"".join(_with_needed_quotes(parts, hidden))[1:-1]
    if hidden == b",":
        return rows
    parts[1::2] = inside.replace(b",", hidden).split(b'"')
    return b'"'.join(parts)[1:-1]


def _with_needed_quotes(parts: list[bytes], hidden: bytes) -> list[bytes]:
    """Quote every second part again, but for those cells that are not in need of it."""
    bare, quoted = parts[0::2], parts[1::2]
    # Nothing between two quoted parts: they are one cell, with an escaped quote.
    parts[1::2] = [
        b'"%s"' % part if hidden in part or not before or not after or _NEEDS_QUOTES.match(part) else part
        for before, part, after in zip(bare, quoted, bare[1:], strict=False)
    ]
    return parts


def _quoted(cell: bytes) -> bytes:
    return b'"%s"' % cell.replace(b'"', b'""')


def _fault(row: bytes) -> str:
    """Say what is wrong with the first cell that is, in Go's words."""
    at = 0
    while found := _CELLS.match(row, at):
        at = found.end()
    rest = row[at:]
    if rest.startswith(b'"'):
        return f'extraneous or missing " in quoted-field found near: {_shown(rest)}'
    return f'bare " in non quoted field found near: {_shown(rest.partition(b",")[0])}'


def _shown(part: bytes) -> str:
    return part[:_NEAR].decode("utf-8", "replace").strip()
