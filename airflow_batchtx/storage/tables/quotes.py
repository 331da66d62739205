"""Cells of CSV whose quote is not closed: readers take the records behind it for a part of the cell, without a word."""

from __future__ import annotations

import re
from typing import BinaryIO, Protocol

# Bytes of a cell that are shown, those read at once, and those from which on a cell is never closed: none is as long.
SHOWN, WINDOW, LONGEST = 64, 4 * 1024 * 1024, 16 * 1024 * 1024


class Source(Protocol):
    """An open object."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer only at the end."""
        ...


class Ended:
    """A file for Arrow that counts quotation `marks`: if that is odd there may be a quote that is not closed.

    Its last line has an end, since a header alone without one would be an error.
    """

    closed = False

    def __init__(self, source: Source, quote: str | None) -> None:
        self._source, self._quote = source, (quote or "").encode()
        self._last, self.marks = b"", 0

    def read(self, size: int) -> bytes:
        """Return as many bytes, fewer only at the end."""
        data = self._source.read(size)
        if self._quote:
            self.marks += data.count(self._quote)
        self._last = data[-1:] or self._last
        if len(data) < size and self._last not in b"\r\n":
            self._last = b"\n"
            data += self._last
        return data


def never_closed(text: BinaryIO, quote: str, delimiter: str, window: int = WINDOW) -> bytes | None:
    """Give the beginning of the first cell that takes in others: to the end of the text, or up to one's own quote."""
    mark, between = (re.escape(one.encode()) for one in (quote, delimiter))
    cells = re.compile(rb"(?<=[\r\n%b])%b([^%b]*(?:%b%b[^%b]*)*)(%b?)" % (between, *[mark] * 6))
    behind = re.compile(rb"[\r\n%b]|\Z" % between)
    # A cell is known by what is before it.
    held, data = b"\n", b"\n"
    while data:
        data = text.read(window)
        held += data
        cut = len(held)
        for cell in cells.finditer(held):
            if data and cell.end() == len(held) and len(cell[0]) < LONGEST:
                cut = cell.start()
                break
            is_whole = cell[2] and behind.match(held, cell.end())
            if not is_whole and (not cell[2] or re.search(rb"[\r\n]", cell[1])):
                return cell[0][:SHOWN].decode(errors="ignore").encode()
        held = held[cut - 1 :]
    return None
