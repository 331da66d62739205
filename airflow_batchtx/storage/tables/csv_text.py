"""Record batches as CSV text.

Numbers are written as the shortest text that reads back as the same number, true and false so, decimals with all their
digits, dates and times in ISO 8601 (a time with a zone as its UTC time, with a Z), nothing for a null. Cells are quoted
where they must be: at a comma, a quote or a line break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from airflow_batchtx.storage.tables.streams import DigestWriter
from airflow_batchtx.storage.tables.texts import body_of, column_of, constant, doubled, marks_in, put_together, text_of

_TEXTUAL: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_date,
    pa.types.is_time, pa.types.is_timestamp, pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
    pa.types.is_null,
)  # fmt: skip
# Rows that Arrow converts at once: by its own 1,024 it is slower by a tenth. Most batches have fewer.
_AT_ONCE = 65_536
_PLAIN = arrow_csv.WriteOptions(include_header=False, quoting_style="none", batch_size=_AT_ONCE)
# Python's csv module leaves a lone carriage return bare, which its own reader takes for the end of a line.
_QUOTED = b'",\r\n'


def is_textual(kind: pa.DataType) -> bool:
    """Tell whether a CSV cell can hold values of this Arrow type: no lists, no structures, no raw bytes."""
    if pa.types.is_dictionary(kind):
        return is_textual(kind.value_type)
    return any(holds(kind) for holds in _TEXTUAL)


def lines(batch: pa.RecordBatch) -> pa.Buffer:
    """Write one line for each row."""
    plain = plain_lines(batch)
    return quoted_lines(batch) if plain is None else plain


def plain_lines(batch: pa.RecordBatch) -> pa.Buffer | None:
    """Write one line for each row without any quotes; None where a cell needs them. The fast way."""
    columns: list[Any] = list(_textual(batch).columns)
    # Arrow would find them when all numbers are written, in vain.
    if any(pa.types.is_string(one.type) and marks_in(one, _QUOTED) for one in columns):
        return None
    columns = [text_of(one) if pa.types.is_floating(one.type) else one for one in columns]
    if len(columns) == 1 and _has_blank(columns[0]):
        return None
    sink = pa.BufferOutputStream()
    try:
        arrow_csv.write_csv(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), sink, _PLAIN)
    except pa.ArrowInvalid:
        return None
    return sink.getvalue()


def quoted_lines(batch: pa.RecordBatch) -> pa.Buffer:
    """Write one line for each row, with quotes where a cell needs them."""
    columns = _textual(batch).columns
    # A line with nothing on it is no record to most readers.
    cells = [_quoted(column, blank=len(columns) == 1) for column in columns]
    separated = [part for cell in cells for part in (*cell, ",")]
    return body_of(put_together(*separated[:-1], "\n"))


def _quoted(column: Any, *, blank: bool = False) -> tuple[Any, ...]:
    """Give the parts of each cell, quotes at both ends where it needs them, and if asked for where it is blank."""
    texts: Any = pc.coalesce(text_of(column), constant(""))
    found = marks_in(texts, _QUOTED) if _is_text(column.type) else b""
    tests: list[Any] = [pc.match_substring(texts, chr(mark)) for mark in found]
    if blank:
        tests.append(pc.match_substring_regex(texts, "^$"))
    if not tests:
        return (texts,)
    quote = pc.if_else(reduce(pc.or_, tests), constant('"'), constant(""))
    return quote, doubled(texts, '"') if b'"' in found else texts, quote


def blanks_as_nulls(column: Any) -> Any:
    """Make a null of every empty text."""
    if pc.min(pc.binary_length(column)).as_py() != 0:
        return column
    # Constants made of Arrow alone: a Python value that becomes one makes pyarrow import pandas, 50 MB of it.
    return pc.if_else(pc.match_substring_regex(column, "^$"), pa.nulls(1, column.type)[0], column)


def line_breaks(batch: pa.RecordBatch) -> Iterator[tuple[int, str, str]]:
    """Yield every cell that goes over more than one line: its row from 0, its column, its text."""
    for name, column in zip(batch.schema.names, _textual(batch).columns, strict=True):
        if not _is_text(column.type) or (pa.types.is_string(column.type) and not marks_in(column, b"\r\n")):
            continue
        broken: list[Any] = pc.indices_nonzero(pc.match_substring_regex(column, "[\r\n]")).to_pylist()
        yield from ((index, name, column[index].as_py()) for index in broken)


def _textual(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([written(column) for column in batch.columns], names=batch.schema.names)


def written(column: Any) -> Any:
    """Give a column in a type that Arrow's CSV writer writes as this module promises."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return written(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        # The cast gives the UTC time, and asks no time zone database.
        return pc.strftime(column.cast(pa.timestamp(kind.unit)), format="%Y-%m-%dT%H:%M:%S" + "Z" * bool(kind.tz))
    return column.cast(pa.string()) if pa.types.is_string_view(kind) else column


def _has_blank(column: Any) -> bool:
    """A lone cell without text would be an empty line, which is no record to most readers."""
    if column.null_count:
        return True
    return _is_text(column.type) and pc.min(pc.binary_length(column)).as_py() == 0


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


class CsvSink:
    """Writes batches to an object as CSV, column names first."""

    def __init__(self, target: DigestWriter, schema: pa.Schema) -> None:
        self._target = target
        target.write(",".join(put_together(*_quoted(column_of(schema.names))).to_pylist()).encode() + b"\n")

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        self._target.write(lines(batch))

    def close(self) -> None:
        """Do nothing more: every line is written."""
