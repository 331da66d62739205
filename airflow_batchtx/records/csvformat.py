"""Filters and joins of text/csv: a record is a line, and for a filter the list of its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_batchtx.records import csvrows, lines
from airflow_batchtx.records.formats import ANSWER, INPUT, matched
from airflow_batchtx.records.jsonpath import JsonPath, Slice

Rows = list[bytes]


def filtered(payload: bytes, path: JsonPath, origin: str) -> bytes:
    """Keep of each row what the filter names; the last row ends in a newline if it did."""
    hidden, pick = csvrows.free_byte(payload), _picker(path)
    rows = [row for piece in _shielded(payload, hidden, origin) for row in pick(piece)]
    return lines.like(rows, payload).replace(hidden, b",")


def joined(payload: bytes, answer: bytes, path: JsonPath) -> bytes:
    """Append to each row of the payload its row of the answer, and keep what the filter names."""
    hidden, pick = csvrows.free_byte(payload, answer), _picker(path)
    told = [row for piece in _shielded(answer, hidden, ANSWER) for row in piece]
    rows, at = list[bytes](), 0
    for asked in _shielded(payload, hidden, INPUT):
        rows += pick(list(map(b",".join, zip(asked, told[at : at + len(asked)], strict=False))))
        at += len(asked)
    matched(at, len(told))
    return b"\n".join(rows).replace(hidden, b",")


without_blank = lines.without_blank


def _shielded(payload: bytes, hidden: bytes, origin: str) -> Iterator[Rows]:
    for piece in lines.pieces(lines.with_newlines(payload)):
        yield csvrows.shielded(piece, hidden, origin)


def _picker(path: JsonPath) -> Callable[[Rows], Rows]:
    """Decide how a filter is applied to shielded rows: the way for most of them is a short one."""
    match path.steps:
        case ():
            return lambda rows: rows
        case (Slice(start=int(start), stop=None),) if start > 0:
            return lambda rows: [b"".join(row.split(b",", start)[start:]) for row in rows]
        case _:
            return lambda rows: [_row(path.taken(row.split(b","))) for row in rows]


def _row(kept: bytes | list[bytes]) -> bytes:
    return kept if isinstance(kept, bytes) else b",".join(kept)
