"""Blocks of CSV as record batches, each parsed by itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from airflow_batchtx.storage.tables.csv_blocks import marked
from airflow_batchtx.storage.tables.csv_dialect import Dialect

_ENDS = b"\r\n"
# Whole numbers of a column in one block that are looked at one by one.
_FEW = 32
# The power of two of the lines that are gone down at once, at most.
_LONGEST = 10
# What is lost of a whole number as a double: the zeros of a code, and digits of 16 or more.
_LOST = re.compile(rb"0[0-9]+|\s*[-+]?[0-9]{16,}\s*")


class Parser:
    """Parses blocks of whole records in which nothing is quoted, in their order.

    Cells are the text that was written, but in the columns of `numbers` they are doubles where nobody can miss the
    text, which spares making it first. A code such as 007 would be missed, and a whole number that a double rounds: a
    column with one of these, or with so many whole numbers that it takes long to look at each, is read as text in its
    block and from there on. So is everything where some cell is no number.
    """

    def __init__(self, columns: Sequence[str], dialect: Dialect, numbers: Collection[str] = ()) -> None:
        self._columns, self._dialect, self._numbers = tuple(columns), dialect, frozenset(numbers).intersection(columns)
        self._parsing = arrow_csv.ParseOptions(delimiter=dialect.delimiter, quote_char=dialect.quote or False)

    def __call__(self, block: bytes) -> pa.RecordBatch:
        """Parse a block; ArrowInvalid says that a record is damaged."""
        if block[:1] in _ENDS and not block.strip(_ENDS):
            return no_rows(self._columns)
        data = marked(block)
        if numbers := self._numbers:
            try:
                batch = self._read(data, self._columns, numbers)
            except pa.ArrowInvalid:
                # If a record is damaged that is found below.
                self._numbers = frozenset()
            else:
                return self._with_texts(batch, data, self._missed(batch, data, numbers))
        return self._read(data, self._columns)

    def _missed(self, batch: pa.RecordBatch, data: bytes, numbers: Collection[str]) -> list[str]:
        """Name the columns of doubles whose text somebody may miss."""
        found = _wholes(batch, sorted(numbers))
        if not found:
            return []
        many = [name for name, rows in found.items() if len(rows) > _FEW]
        few = {name: rows for name, rows in found.items() if len(rows) <= _FEW}
        lines = _lines(data, {row for rows in few.values() for row in rows})
        delimiter, places = self._dialect.delimiter.encode(), {name: at for at, name in enumerate(self._columns)}
        return many + [
            name
            for name, rows in few.items()
            if any(row not in lines or _LOST.fullmatch(lines[row].split(delimiter)[places[name]]) for row in rows)
        ]

    def _with_texts(self, batch: pa.RecordBatch, data: bytes, columns: Collection[str]) -> pa.RecordBatch:
        """Read columns again, as text."""
        if not columns:
            return batch
        self._numbers = self._numbers.difference(columns)
        texts = self._read(data, columns)
        found = {name: (texts if name in columns else batch).column(name) for name in self._columns}
        return pa.RecordBatch.from_pydict(found)

    def _read(self, data: bytes, columns: Collection[str], numbers: Collection[str] = ()) -> pa.RecordBatch:
        file: Any = pa.BufferReader(data)
        reading = arrow_csv.ReadOptions(block_size=len(data), use_threads=False, column_names=list(self._columns))
        table = arrow_csv.read_csv(file, reading, self._parsing, _converting(tuple(columns), frozenset(numbers)))
        [batch] = table.combine_chunks().to_batches()
        return batch


@lru_cache
def _converting(columns: tuple[str, ...], numbers: frozenset[str]) -> Any:
    return arrow_csv.ConvertOptions(
        column_types={name: pa.float64() if name in numbers else pa.string() for name in columns},
        include_columns=list(columns),
        # Of numbers, that is: a text is never null.
        null_values=[""],
        strings_can_be_null=False,
    )


def no_rows(columns: Sequence[str]) -> pa.RecordBatch:
    """Give a batch of texts without rows."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, pa.string()) for _ in columns], names=list(columns))


def _wholes(batch: pa.RecordBatch, columns: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """Find the rows of whole numbers in each column that has any; more than `_FEW` stand for all of them."""
    # All columns in one go: each call of Arrow's lets go of Python's lock, which other threads wait for.
    values: Any = pa.chunked_array([batch.column(name) for name in columns], pa.float64())
    whole: Any = pc.equal(pc.floor(values), values)
    if not pc.any(whole).as_py():
        return {}
    count = batch.num_rows
    found = {name: pc.indices_nonzero(whole.slice(at * count, count)) for at, name in enumerate(columns)}
    return {name: rows.slice(0, _FEW + 1).to_pylist() for name, rows in found.items() if len(rows)}


def _lines(data: bytes, rows: Iterable[int]) -> Mapping[int, bytes]:
    """Find the lines of rows, which are counted from 0; none where rows may end otherwise than with a line feed."""
    if b"\r" in data:
        return {}
    found: dict[int, bytes] = {}
    # A blank line is no row.
    row, place = 0, len(data) - len(data.lstrip(b"\n")) if data.startswith(b"\n") else 0
    for wanted in sorted(rows):
        place = _below(data, place, wanted - row)
        row = wanted
        end = data.find(b"\n", place)
        found[row] = data[place : end if end >= 0 else None]
    return found


def _below(data: bytes, place: int, lines: int) -> int:
    """Go down so many lines, in steps of powers of two; a step remembers each of its lines, so none is long."""
    powers = [*repeat(_LONGEST, lines >> _LONGEST), *(power for power in range(_LONGEST) if lines >> power & 1)]
    for power in powers:
        if step := _steps(power).match(data, place):
            place = step.end()
    return place


@cache
def _steps(power: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:[^\n]+\n+){%d}" % (1 << power))
