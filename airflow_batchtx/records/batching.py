"""Whole records in payloads: cuts a stream at record ends and holds no more of it than a payload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from airflow_batchtx.errors import MalformedRecord, RecordTooLarge

# How much is looked at together where records go out singly: enough for reads to cost little.
_PIECE = 1024 * 1024
# How much goes out together where nothing limits it: SageMaker's default payload. One larger record still goes whole.
UNLIMITED = 6 * 1024 * 1024


class Readable(Protocol):
    """Anything with `read(n)`: at most `n` bytes, all the rest for -1, and nothing only at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Framing:
    """How records lie in a stream of bytes.

    `last_end(held, room, ended)` gives the end of the last whole record among the first `room` bytes of `held`, 0 where
    there is none; `ended` says that nothing follows. `records(piece)` gives the records of a piece that holds whole
    ones, without what frames them, and `overhead` is how many bytes that takes off one.
    """

    name: str
    last_end: Callable[[bytes, int, bool], int]
    records: Callable[[bytes], Iterator[bytes]]
    overhead: int


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How much is cut off together: `usual` bytes, up to `most` for one record; `limit` is what a user has set."""

    usual: int
    most: int | None
    limit: int | None


def packed(source: Readable, framing: Framing, limit: int | None) -> Iterator[bytes]:
    """Give payloads of as many whole records as fit in `limit` bytes, their framing kept (MultiRecord).

    Without a limit a payload has as many as fit in `UNLIMITED`, or one that is larger.
    """
    return _pieces(source, framing, _Bounds(limit or UNLIMITED, limit, limit))


def single(source: Readable, framing: Framing, limit: int | None) -> Iterator[bytes]:
    """Give every record by itself, without its framing (SingleRecord)."""
    framed = None if limit is None else limit + framing.overhead
    offset = 0
    for piece in _pieces(source, framing, _Bounds(min(_PIECE, framed or _PIECE), framed, limit)):
        for record in framing.records(piece):
            if limit is not None and len(record) > limit:
                raise too_large(offset, len(record), limit)
            yield record
        offset += len(piece)


def read_all(source: Readable) -> bytes:
    """Read what is left, also from a source that gives it bit by bit."""
    return b"".join(iter(source.read, b""))


def too_large(offset: int, size: int, limit: int) -> RecordTooLarge:
    """Say that a record takes `size` bytes or more, where a payload may have `limit`."""
    detail = (
        f"A record at or after byte {offset} takes {size} bytes or more; MaxPayloadInMB allows {limit} in a payload"
    )
    return RecordTooLarge(detail, offset, size, limit)


def _pieces(source: Readable, framing: Framing, bounds: _Bounds) -> Iterator[bytes]:
    """Cut the stream into pieces of whole records, of `usual` bytes at most or of one record."""
    held, offset, room = b"", 0, bounds.usual
    while True:
        # One byte more than there is room for tells a last record that just fits from one that goes on.
        held, ended = _filled(source, held, room + 1)
        if cut := framing.last_end(held, room, ended):
            yield held[:cut]
            held, offset, room = held[cut:], offset + cut, bounds.usual
        elif not held:
            return
        elif ended and len(held) <= room:
            raise _unfinished(framing, offset)
        elif room == bounds.most and bounds.limit is not None:
            raise too_large(offset, len(held), bounds.limit)
        else:
            room = 2 * room if bounds.most is None else min(2 * room, bounds.most)


def _filled(source: Readable, held: bytes, size: int) -> tuple[bytes, bool]:
    """Read on until `size` bytes are held; True where the source ended before."""
    parts, missing = [held], size - len(held)
    while missing > 0:
        part = source.read(missing)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        missing -= len(part)
    return b"".join(parts), False


def _unfinished(framing: Framing, offset: int) -> MalformedRecord:
    return MalformedRecord(f"The last {framing.name} record, at or after byte {offset}, is not complete")
