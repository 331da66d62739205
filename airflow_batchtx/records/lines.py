r"""Lines: records that end in "\n"; the last may go without."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_batchtx.records.batching import Framing

_ONLY_BLANK = re.compile(rb"(?:\r?\n)*\r?")
# For two bytes a pattern is twice as fast as `in`.
_TWO_NEWLINES = re.compile(rb"\n\n")
_BLANK = re.compile(rb"^\r?(?:\n|\Z)", re.MULTILINE)
# Pieces of this size keep what is done to them in the processor's cache, and below what malloc maps anew each time.
_PIECE = 64 * 1024


def last_end(held: bytes, room: int, ended: bool) -> int:
    """Give the end of the last line; what stands after the last newline of a source is a line too."""
    return len(held) if ended and len(held) <= room else held.rfind(b"\n", 0, room) + 1


def records(piece: bytes) -> Iterator[bytes]:
    r"""Give the lines without their "\n"; a "\r" before it belongs to the line."""
    return iter(piece.removesuffix(b"\n").split(b"\n"))


FRAMING = Framing("Line", last_end, records, overhead=1)


def is_blank(payload: bytes) -> bool:
    """Tell whether a payload has no line with something in it."""
    return payload[:1] in b"\r\n" and _ONLY_BLANK.fullmatch(payload) is not None


def without_blank(payload: bytes) -> bytes:
    """Give the payload without its blank lines; the same bytes where it has none."""
    if payload[:1] in b"\r\n" or _TWO_NEWLINES.search(payload) or (b"\r" in payload and b"\n\r" in payload):
        return _BLANK.sub(b"", payload)
    return payload


def with_newlines(payload: bytes) -> bytes:
    r"""Give the payload with "\n" for each "\r\n", and without one "\r" at its end (as Go's encoding/csv reads)."""
    return payload.replace(b"\r\n", b"\n").removesuffix(b"\r") if b"\r" in payload else payload


def filled(payload: bytes) -> list[bytes]:
    r"""Give the lines that have something in them, without "\n"."""
    found = payload.split(b"\n")
    if not found[-1]:
        found.pop()
    return [line for line in found if line] if b"" in found else found


def like(found: list[bytes], payload: bytes) -> bytes:
    """Put lines together as `payload` had them: with a newline after the last one only if that had one."""
    return b"\n".join([*found, b""] if found and payload.endswith(b"\n") else found)


def pieces(payload: bytes) -> Iterator[bytes]:
    """Cut a payload after lines into pieces that are quick to work on."""
    start = 0
    while start < len(payload):
        end = payload.rfind(b"\n", start, start + _PIECE) + 1 or payload.find(b"\n", start + _PIECE) + 1 or len(payload)
        yield payload[start:end]
        start = end
