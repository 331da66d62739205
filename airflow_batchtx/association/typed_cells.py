"""CSV whose cells become numbers while they are cut, without ever being text: twice as fast.

Only where that gives what `narrowing` would make of the texts. A parser of numbers takes `007` for 7 and `0x10` for 16;
so bytes are looked at as they pass, and where a cell could be such a code, what they hold is to be read as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from airflow_batchtx.association.columns import Columns
from airflow_batchtx.association.csv_answers import CsvAnswers
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.rows import CsvRows
from airflow_batchtx.association.side_by_side import Stream, as_many, beside
from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore
from airflow_batchtx.storage.tables import csv_records

KINDS: Mapping[str, pa.DataType] = {"int64": pa.int64(), "double": pa.float64(), "string": pa.string()}
# Above this a double does not hold every whole number.
EXACT = 2.0**53
# Bytes by what they may begin or end in a cell: what parts cells, blanks, digits, and what marks other numbers.
_PART, _BLANK, _OTHER = b",", b" ", b"."
_CLASSES = {
    _PART: b',"\r\n',
    _BLANK: b" \t\v\f\0",
    b"0": b"0",
    b"1": b"123456789",
    b"x": b"xX",
    b"-": b"-",
    b"+": b"+",
    b"{": b"{[",
    b"\xff": b"\xef\xbb\xbf",
}
# Where a cell begins or ends so, it is text to `narrowing`, or no CSV at all.
_STRANGE = (b",00", b",01", b",0x", b",-00", b",-01", b",-0x", b",-0,", b",+", b", ", b" ,")
_STRANGE_START = (b"{", b"\xff")


def _classes() -> bytes:
    table = bytearray(_OTHER * 256)
    for mark, members in _CLASSES.items():
        for member in members:
            table[member] = mark[0]
    return bytes(table)


_TABLE = _classes()
# Bytes of classes that are kept to look at what lies over the border of two reads.
_OVERLAP = max(map(len, _STRANGE)) - 1


class Watched:
    """A file for Arrow. `strange` tells whether anything that was read so far may be other than it seems."""

    closed = False

    def __init__(self, source: ObjectReader) -> None:
        self._source, self._end, self._begun = source, _PART, False
        self.strange = False

    def read(self, size: int) -> bytes:
        """Return as many bytes, fewer only at the end."""
        data = self._source.read(size)
        classes = self._end + (data.translate(_TABLE) if data else _PART)
        self.strange = self.strange or any(mark in classes for mark in _STRANGE)
        if not self._begun:
            self.strange = self.strange or classes.lstrip(_PART + _BLANK).startswith(_STRANGE_START)
        self._end, self._begun = classes[-_OVERLAP:], True
        return data


def may_be(columns: Columns) -> bool:
    """Tell whether rows and answers can be read so: as CSV, in types that are found in text."""
    reading = columns.reading
    is_zipped = isinstance(reading.rows, CsvRows) and reading.rows.inputs.gzip
    is_csv = isinstance(reading.answers, CsvAnswers) and not is_zipped
    is_all = columns.kinds.keys() == reading.columns.keys() and reading.key is None
    return is_csv and is_all and set(columns.kinds.values()) <= KINDS.keys()


def rows(store: ObjectStore, pair: Pair, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a pair's table; MalformedRecord or an error of Arrow's where they are to be read as text."""
    reading = columns.reading
    known = reading.rows.batches(store, pair)
    if isinstance(reading.rows, CsvRows):
        known = _cells(store, pair.source, columns, reading.rows.columns)
    answers = _cells(store, pair.answers.uri, columns, tuple(reading.answers.columns))
    left, right = Stream(known), Stream(answers)
    for row, answer in beside(left, right):
        yield pa.RecordBatch.from_arrays([*row.columns, *answer.columns], schema=columns.schema)
    as_many(left, right, source=str(pair.source), output=str(pair.answers.uri))


def _cells(store: ObjectStore, uri: S3Uri, columns: Columns, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    kinds = {name: KINDS[columns.kinds[name]] for name in names}
    with store.reader(uri) as source:
        watched = Watched(source)
        with _opened(watched, kinds) as reader:
            for batch in reader:
                if watched.strange or any(map(_is_large, batch.columns)):
                    raise MalformedRecord("may hold codes, or numbers that a double would round")
                yield batch


def _is_large(column: Any) -> bool:
    if not pa.types.is_floating(column.type):
        return False
    bounds: Any = pc.min_max(column).as_py()
    return bounds["max"] is not None and max(-bounds["min"], bounds["max"]) >= EXACT


def _opened(watched: Watched, kinds: Mapping[str, pa.DataType]) -> Any:
    file: Any = pa.PythonFile(cast("Any", watched), mode="r")
    return arrow_csv.open_csv(
        file,
        read_options=arrow_csv.ReadOptions(block_size=csv_records.BLOCK, column_names=list(kinds)),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(column_types=dict(kinds), null_values=[""], strings_can_be_null=False),
    )
