"""Two streams of record batches, row beside row, whatever the lengths of their batches."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import pyarrow as pa

from airflow_batchtx.errors import RowCountMismatch


@dataclass(slots=True)
class Stream:
    """Batches that are taken in pieces. `taken` counts the rows that are gone."""

    batches: Iterator[pa.RecordBatch]
    taken: int = 0
    held: pa.RecordBatch | None = None

    def filled(self) -> bool:
        """Hold rows, if there are any left."""
        while self.held is None or not self.held.num_rows:
            self.held = next(self.batches, None)
            if self.held is None:
                return False
        return True

    def take(self, rows: int) -> pa.RecordBatch:
        """Take so many of the rows that are held."""
        assert self.held is not None
        piece, self.held = self.held.slice(0, rows), self.held.slice(rows)
        self.taken += rows
        return piece

    def close(self) -> None:
        """Let go of what is left, and of what reads it."""
        if isinstance(self.batches, Generator):
            self.batches.close()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Take everything that is left."""
        while self.filled():
            assert self.held is not None
            yield self.take(self.held.num_rows)


def beside(left: Stream, right: Stream) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield pieces of equal length until one stream has nothing left."""
    while left.filled() and right.filled():
        assert left.held is not None
        assert right.held is not None
        rows = min(left.held.num_rows, right.held.num_rows)
        yield left.take(rows), right.take(rows)


def as_many(known: Stream, answers: Stream, *, source: str, output: str) -> None:
    """Raise RowCountMismatch unless both streams end here."""
    for stream in (known, answers):
        for _ in stream.rest():
            pass
    if known.taken != answers.taken:
        detail = f"has {answers.taken} answers to the {known.taken} rows of {source}"
        raise RowCountMismatch(output, detail, rows_in=known.taken, rows_out=answers.taken)
