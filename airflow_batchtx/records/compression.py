"""Gzip, read as it streams."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.records.batching import Readable

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 256 * 1024


class Gunzipped:
    """Reads what a gzip stream holds; one of several members as all of them together.

    `read` raises MalformedRecord where the stream is not gzip, damaged or cut short. Zero bytes between and after
    members are padding.
    """

    def __init__(self, source: Readable) -> None:
        self._plain = _plain(source)
        self._held = b""

    def read(self, size: int = -1, /) -> bytes:
        """Give `size` bytes, fewer only at the end; all the rest for -1."""
        parts, missing = [], size
        while missing != 0 and (part := self._held or next(self._plain, b"")):
            taken = part if size < 0 else part[:missing]
            self._held = part[len(taken) :]
            parts.append(taken)
            missing -= len(taken)
        return b"".join(parts)


def _plain(source: Readable) -> Iterator[bytes]:
    """Give what the members hold, in pieces."""
    rest = b""
    while compressed := rest or source.read(_PIECE):
        rest = b""
        if compressed := compressed.lstrip(b"\0"):
            rest = yield from _member(compressed, source)


def _member(compressed: bytes, source: Readable) -> Generator[bytes, None, bytes]:
    """Give what one member holds, and return what stands behind it."""
    member = zlib.decompressobj(_GZIP)
    try:
        while not member.eof:
            if plain := member.decompress(compressed, _PIECE):
                yield plain
            if not member.eof and not (compressed := member.unconsumed_tail or source.read(_PIECE)):
                raise MalformedRecord("The gzip stream ends before its end")
    except zlib.error as error:
        raise MalformedRecord(f"Not a whole gzip stream: {error}") from error
    return member.unused_data
