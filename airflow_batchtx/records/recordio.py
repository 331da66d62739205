"""RecordIO: magic, length, payload, padding to four bytes; little-endian.

A payload that holds the magic itself may be written in parts (dmlc-core's recordio.h); the three high bits of the
length then say which part it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.records.batching import Framing

MAGIC = 0xCED7230A
_MAGIC_BYTES = MAGIC.to_bytes(4, "little")
_HEADER = struct.Struct("<II")
_LENGTH_BITS = 29
_ENDS_A_RECORD = frozenset({0, 3})  # a whole record, the last part of one; 1 and 2 are a first and a middle part


def last_end(held: bytes, room: int, ended: bool) -> int:  # noqa: ARG001  (the framing is explicit)
    """Give the end of the last record that is whole."""
    at = end = 0
    stop = min(room, len(held))
    while at + _HEADER.size <= stop:
        flag, size = _header(held, at)
        at += _HEADER.size + _padded(size)
        if at > stop:
            break
        if flag in _ENDS_A_RECORD:
            end = at
    return end


def records(piece: bytes) -> Iterator[bytes]:
    """Give the payloads, without magic, length and padding; one written in parts as one."""
    at, parts = 0, list[bytes]()
    while at < len(piece):
        flag, size = _header(piece, at)
        at += _HEADER.size
        parts.append(piece[at : at + size])
        at += _padded(size)
        if flag in _ENDS_A_RECORD:
            yield _MAGIC_BYTES.join(parts)
            parts.clear()


FRAMING = Framing("RecordIO", last_end, records, overhead=_HEADER.size + 3)


def _header(held: bytes, at: int) -> tuple[int, int]:
    magic, word = _HEADER.unpack_from(held, at)
    if magic != MAGIC:
        raise MalformedRecord(f"A RecordIO record begins with {held[at : at + 4]!r} in place of {_MAGIC_BYTES!r}")
    return word >> _LENGTH_BITS, word & (1 << _LENGTH_BITS) - 1


def _padded(size: int) -> int:
    return (size + 3) & ~3
