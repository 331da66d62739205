"""CSV without quotes, cut into blocks of whole records that are parsed apart from each other."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Protocol

# Where a record ends for sure, as long as no quote is open.
_NEWLINE = b"\n"


class Source(Protocol):
    """An open object."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer only at the end."""
        ...


class Blocks:
    """Takes a source apart. Where a quote, or a record without an end in its block, comes next, `left` is what is left.

    Where a quoted cell ends, and with it a record, only who reads everything before it can tell.
    """

    def __init__(self, source: Source, quote: str | None, size: int) -> None:
        self._source, self._size = source, size
        self._quote = quote.encode() if quote else None
        self._ahead = b""
        self.left: Source | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks of about the size that end with a record, until the source ends or something is `left`."""
        while True:
            wanted = self._size - len(self._ahead)
            data = self._source.read(wanted)
            is_last = len(data) < wanted
            end = len(data) if is_last else data.rfind(_NEWLINE) + 1
            # What has come is copied once only: that is most of what is done here.
            block = b"".join((self._ahead, memoryview(data)[:end])) if end or is_last else b""
            if not block or (self._quote and self._quote in block):
                self.left = Ahead(marked(self._ahead + data), self._source) if self._ahead or data else None
                return
            self._ahead = data[end:]
            yield block
            if is_last:
                return


def marked(start: bytes) -> bytes:
    """Double a byte order mark that is text, since Arrow skips one wherever it begins to read."""
    return codecs.BOM_UTF8 + start if start.startswith(codecs.BOM_UTF8) else start


class Ahead:
    """A source with what was read of it put back before it, as a file for Arrow."""

    closed = False

    def __init__(self, ahead: bytes, source: Source) -> None:
        self._ahead, self._source = ahead, source

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer only at the end."""
        start, self._ahead = self._ahead[:size], self._ahead[size:]
        return start + self._source.read(size - len(start)) if len(start) < size else start
