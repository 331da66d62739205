"""Where shards end: by bytes, by rows, and early enough that every instance of the job gets some."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.preparation.rows import Rows, lines

Text: TypeAlias = "pa.Buffer | bytes"
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


def numbered(parts: Iterable[Rows], total: int, request: PrepareRequest) -> Iterator[tuple[int, Piece]]:
    """Give each piece the number of its shard, from 0; `total` is the size of the source in bytes."""
    number = filled = 0
    for cut, part, text in _written(_by_rows(_by_share(parts, total, request.min_shards), request.shard_rows)):
        due = cut
        for piece in _pieces(part, text, request.shard_bytes):
            if filled and (due or filled + len(piece.lines) > request.shard_bytes):
                number, filled = number + 1, 0
            filled, due = filled + len(piece.lines), False
            yield number, piece


def _by_share(parts: Iterable[Rows], total: int, shares: int) -> Iterator[tuple[bool, Rows]]:
    """Cut where the source passes from one of so many equal shares to the next."""
    for part in parts:
        size = part.end - part.begin
        # In units of a byte by the number of shares, so that nothing is rounded before the row is found.
        borders = (total * number - part.begin * shares for number in range(1, shares))
        cuts = [len(part) * border // (size * shares) for border in borders if 0 <= border < size * shares]
        for start, stop in zip([0, *cuts], [*cuts, len(part)], strict=True):
            yield start in cuts, part.slice(start, stop)


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


def _written(cuts: Cuts) -> Iterator[tuple[bool, Rows, Text]]:
    """Write rows to text, a few batches ahead, in order: Arrow does it without Python's lock."""
    pending: deque[tuple[bool, Rows, Future[Text]]] = deque()
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="csv-text") as pool:
        for cut, part in cuts:
            pending.append((cut, part, pool.submit(lines, part)))
            if len(pending) > WRITERS:
                yield _first(pending)
        while pending:
            yield _first(pending)


def _first(pending: deque[tuple[bool, Rows, Future[Text]]]) -> tuple[bool, Rows, Text]:
    cut, part, text = pending.popleft()
    return cut, part, text.result()


def _pieces(part: Rows, text: Text, most: int) -> Iterator[Piece]:
    """Part rows into pieces of at most so many bytes, or of one row."""
    if len(text) <= most or len(part) == 1:
        yield Piece(len(part), text, part.kept)
        return
    middle = len(part) // 2
    for half in (part.slice(0, middle), part.slice(middle, len(part))):
        yield from _pieces(half, lines(half), most)
