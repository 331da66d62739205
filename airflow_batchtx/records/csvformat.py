"""Filters and joins of text/csv: a record is a line, and for a filter the list of its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import itemgetter

from airflow_batchtx.records import csvrows, lines
from airflow_batchtx.records.formats import ANSWER, INPUT, Stamp, matched
from airflow_batchtx.records.jsonpath import Indexes, JsonPath, Slice

Rows = list[bytes]


def filtered(payload: bytes, path: JsonPath, origin: str) -> bytes:
    """Keep of each row what the filter names; the last row ends in a newline if it did."""
    hidden, pick = csvrows.free_byte(payload), _picker(path)
    pieces = [b"\n".join(pick(rows)) for rows in _shielded(payload, hidden, origin)]
    return lines.like(pieces, payload).replace(hidden, b",")


def joined(payload: bytes, answer: bytes, path: JsonPath) -> bytes:
    """Append to each row of the payload its row of the answer, and keep what the filter names."""
    if path.is_root:
        # Whole rows need no shield: a comma may stand for itself.
        told = [end for piece in _pieces(answer) for end in csvrows.ends_of_lines(piece, ANSWER)]
        return _joined(payload, told, b",", _lines_paired)
    hidden = csvrows.free_byte(payload, answer)
    told = [row for rows in _shielded(answer, hidden, ANSWER) for row in rows]
    return _joined(payload, told, hidden, partial(_rows_paired, _picker(path))).replace(hidden, b",")


def _joined(payload: bytes, told: Rows, hidden: bytes, paired: Callable[[Rows, Rows], bytes]) -> bytes:
    pieces, at = list[bytes](), 0
    for rows in _shielded(payload, hidden, INPUT):
        pieces.append(paired(rows, told[at : at + len(rows)]))
        at += len(rows)
    matched(at, len(told))
    if pieces:
        pieces[-1] = pieces[-1].removesuffix(b"\n")
    return b"".join(pieces)


def stamped(payload: bytes, stamp: Stamp) -> bytes:
    """Append to each row an id of its own and the time."""
    hidden, rest = csvrows.free_byte(payload), stamp.time.encode()
    pieces = [
        b"\n".join([b"%s,%s,%s" % (row, stamp.new_id().encode(), rest) for row in rows])
        for rows in _shielded(payload, hidden, ANSWER)
    ]
    return lines.like(pieces, payload).replace(hidden, b",")


without_blank = lines.without_blank


def _shielded(payload: bytes, hidden: bytes, origin: str) -> Iterator[Rows]:
    """Give the rows of the payload, a number of them at a time."""
    for piece in _pieces(payload):
        if rows := csvrows.shielded(piece, hidden, origin):
            yield rows


def _pieces(payload: bytes) -> Iterator[bytes]:
    return lines.pieces(lines.with_newlines(payload))


def _lines_paired(rows: Rows, tails: Rows) -> bytes:
    """Put each row before its tail, as text; nothing where some have none."""
    if len(rows) != len(tails):
        return b""
    paired = [b""] * (2 * len(rows))
    paired[0::2], paired[1::2] = rows, tails
    return b"".join(paired)


def _rows_paired(pick: Callable[[Rows], Rows], rows: Rows, told: Rows) -> bytes:
    """Pick cells out of each row with its row of the answer, as lines."""
    return b"\n".join([*pick(list(map(b",".join, zip(rows, told, strict=False)))), b""])


def _picker(path: JsonPath) -> Callable[[Rows], Rows]:
    """Decide how a filter is applied to shielded rows: the way for most of them is a short one."""
    match path.steps:
        case ():
            return lambda rows: rows
        case (Slice(start=1, stop=None),):
            return lambda rows: [row.partition(b",")[2] for row in rows]
        case (Slice(start=int(start), stop=None),) if start > 0:
            return lambda rows: [b"".join(row.split(b",", start)[start:]) for row in rows]
        case (Indexes(indexes),):
            return partial(_picked, path, itemgetter(*indexes))
        case _:
            return lambda rows: [_row(path.taken(row.split(b","))) for row in rows]


def _picked(path: JsonPath, pick: Callable[[Rows], Iterable[bytes]], rows: Rows) -> Rows:
    try:
        return [b",".join(pick(row.split(b","))) for row in rows]
    except IndexError:
        return [_row(path.taken(row.split(b","))) for row in rows]  # which says what was out of range


def _row(kept: bytes | list[bytes]) -> bytes:
    return kept if isinstance(kept, bytes) else b",".join(kept)
