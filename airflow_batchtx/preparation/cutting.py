"""Where shards end: by bytes, by rows, and early enough that every instance of the job gets some."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import pyarrow as pa

from airflow_batchtx.planning.sharding import Sharding
from airflow_batchtx.preparation.rows import Rows
from airflow_batchtx.storage.advance import at_once

# Lines, each with its end.
Text: TypeAlias = "pa.Buffer | memoryview"
Write: TypeAlias = Callable[[Rows], pa.Buffer]
# Batches that are written to text at once, beside the reading of the next.
WRITERS = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows as they are written: the model's lines, and the kept columns beside."""

    rows: int
    lines: Text
    kept: pa.RecordBatch | None


# Rows, and whether a new shard must begin with them.
Cuts = Iterable[tuple[bool, Rows]]


def numbered(parts: Iterable[Rows], total: int, sharding: Sharding, write: Write) -> Iterator[tuple[int, Piece]]:
    """Give each piece the number of its shard, from 0; `total` is the size of the source in bytes."""
    number = filled = 0
    for cut, part, text in _written(_by_rows(_by_share(parts, total, sharding.min_shards), sharding.shard_rows), write):
        due = cut
        for piece in _pieces(part, text, sharding.shard_bytes):
            if filled and (due or filled + len(piece.lines) > sharding.shard_bytes):
                number, filled = number + 1, 0
            filled, due = filled + len(piece.lines), False
            yield number, piece


def _by_share(parts: Iterable[Rows], total: int, shares: int) -> Iterator[tuple[bool, Rows]]:
    """Cut where the source passes from one of so many equal shares to the next, and behind that after a row at least.

    Where one row is larger than a share, the shares that it takes up are of the rows behind it.
    """
    due: deque[int] = deque()
    seen = last = 0
    for part in parts:
        size = part.end - part.begin
        # In units of a byte by the number of shares, so that nothing is rounded before the row is found.
        borders = (total * number - part.begin * shares for number in range(1, shares))
        due += (seen + len(part) * border // (size * shares) for border in borders if 0 <= border < size * shares)
        cuts = []
        while due and (cut := max(due[0], last + 1)) < seen + len(part):
            due.popleft()
            cuts.append(cut - seen)
            last = cut
        for start, stop in zip([0, *cuts], [*cuts, len(part)], strict=True):
            yield start in cuts, part.slice(start, stop)
        seen += len(part)


def _by_rows(cuts: Cuts, most: int | None) -> Iterator[tuple[bool, Rows]]:
    """Cut after so many rows."""
    count = 0
    for cut, part in cuts:
        due, start = cut, 0
        count = 0 if cut else count
        while start < len(part):
            if count == most:
                due, count = True, 0
            stop = len(part) if most is None else min(len(part), start + most - count)
            yield due, part.slice(start, stop)
            count, start, due = count + stop - start, stop, False


def _written(cuts: Cuts, write: Write) -> Iterator[tuple[bool, Rows, Text]]:
    """Write rows to text, a few batches ahead, in order: Arrow does it without Python's lock."""

    def text_of(cut: tuple[bool, Rows]) -> tuple[bool, Rows, Text]:
        return *cut, write(cut[1])

    return at_once(text_of, iter(cuts), WRITERS)


def _pieces(part: Rows, text: Text, most: int) -> Iterator[Piece]:
    """Part rows into pieces of at most so many bytes, or of one row."""
    if len(text) <= most or len(part) == 1:
        yield Piece(len(part), text, part.kept)
        return
    ends = (0, *accumulate(map(len, bytes(text).splitlines(keepends=True))))
    yield from _halves(part, memoryview(text), ends, most)


def _halves(part: Rows, text: memoryview, ends: Sequence[int], most: int) -> Iterator[Piece]:
    """Halve rows, whose lines end at so many bytes of `text`, until they are few enough."""
    if ends[-1] - ends[0] <= most or len(part) == 1:
        yield Piece(len(part), text[ends[0] : ends[-1]], part.kept)
        return
    middle = len(part) // 2
    yield from _halves(part.slice(0, middle), text, ends[: middle + 1], most)
    yield from _halves(part.slice(middle, len(part)), text, ends[middle:], most)
