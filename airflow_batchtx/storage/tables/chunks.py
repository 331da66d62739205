"""What every reader of tables gives: rows in order, and what of them could not be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

# How many damaged records are named.
MOST = 10


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a record, counted from 1 (a header not), or with a column in it; `text` is all of the record.

    Without a number nothing behind it can be read either.
    """

    rule: str
    value: object
    record: int | None = None
    column: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a batch and the numbers of their records, from 1; damaged ones beside, whose numbers are left out.

    `end` tells how far the object is read, in bytes as it lies in its store: the same at the same row every time.
    `text` gives a row of the batch, from 0, as it is written there, where that is known.
    """

    batch: pa.RecordBatch
    numbers: Sequence[int]
    end: int
    damaged: tuple[Damage, ...] = ()
    text: Callable[[int], str] | None = None

    def written(self, row: int) -> str:
        """Give all of a row of the batch as text."""
        if self.text is not None:
            return self.text(row)
        names: list[str] = self.batch.schema.names
        values = {name: shown(column, row) for name, column in zip(names, self.batch.columns, strict=True)}
        return json.dumps(values, default=str, ensure_ascii=False)


def shown(column: Any, row: int) -> Any:
    """Give a value as Python has it, or its text where Python has no such time: nanoseconds, years from 10000 on."""
    try:
        return column[row].as_py()
    except (ValueError, OverflowError):
        return column.slice(row, 1).cast(pa.string())[0].as_py()


def text_of(data: bytes) -> str:
    r"""Give bytes as text, those that are no UTF-8 as `\xff`."""
    return data.decode(errors="backslashreplace")
