"""The model's answers: streamed from an output object, proved to be as many as the rows that were sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.errors import AssociationError, MalformedRecord, RowCountMismatch
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore
from airflow_batchtx.storage.tables import csv_records, parquet
from airflow_batchtx.storage.tables.streams import spooled

# Rows named at once where nothing was kept.
BATCH_ROWS = 65_536
# Bytes of input read at once to count its lines.
CHUNK = 4 * 1024 * 1024
_UNPREPARED: Any = [("input_object", pa.string()), ("record", pa.int64())]
UNPREPARED = pa.schema(_UNPREPARED)


def width(store: ObjectStore, pairs: tuple[Pair, ...]) -> int | None:
    """Count the columns that the model gives, by the first answer; None where there is none."""
    widths = (_width(store, pair.answers.uri) for pair in pairs if pair.answers.size)
    return next((count for count in widths if count), None)


def _width(store: ObjectStore, uri: S3Uri) -> int:
    with store.reader(uri) as source:
        _csv(uri, source)
    try:
        return len(csv_records.head(store, uri))
    except MalformedRecord as error:
        raise AssociationError(str(uri), error.detail) from error


def answered(
    store: ObjectStore, pair: Pair, names: tuple[str, ...], left: pa.Schema
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield the rows of an input and their answers, as text, in batches of equal length.

    RowCountMismatch says that there are more or fewer answers than rows, AssociationError that one cannot be read.
    """
    rows = _count(store, pair.source) if pair.rows is None else pair.rows
    known = _Cursor(_numbered(pair.source, rows) if pair.kept is None else _kept(store, pair.kept, rows, left))
    count = 0
    records = _records(store, pair, names)
    for batch in records:
        count += batch.num_rows
        if count > rows:
            break
        yield from known.beside(batch)
    if count != rows:
        count += sum(batch.num_rows for batch in records)
        detail = f"has {count} answers to the {rows} rows of {pair.source}"
        raise RowCountMismatch(str(pair.answers.uri), detail, rows_in=rows, rows_out=count)


class _Cursor:
    """Takes rows from batches of other lengths."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches, self._start = batches, 0
        self._held: pa.RecordBatch | None = None

    def beside(self, answers: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        start = 0
        while start < answers.num_rows:
            rows = self._take(answers.num_rows - start)
            yield rows, answers.slice(start, rows.num_rows)
            start += rows.num_rows

    def _take(self, most: int) -> pa.RecordBatch:
        while self._held is None or self._start == self._held.num_rows:
            self._held, self._start = next(self._batches), 0
        taken = self._held.slice(self._start, most)
        self._start += taken.num_rows
        return taken


# ---------------------------------------------------------------------------------------------------- the answers


def _records(store: ObjectStore, pair: Pair, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    if not pair.answers.size:
        return
    with store.reader(pair.answers.uri) as source:
        try:
            yield from csv_records.batches(_csv(pair.answers.uri, source), names, header=False)
        except pa.ArrowInvalid as error:
            raise _damage(store, pair.answers.uri, names, error) from error


def _csv(uri: S3Uri, source: ObjectReader) -> csv_records.Peeked:
    """Refuse answers in JSON, whose braces and quotes would pass for cells."""
    peeked = csv_records.Peeked(source)
    if peeked.start.lstrip().startswith((b"{", b"[")):
        detail = "holds JSON, where text/csv is read: give the job accept='text/csv', or have its model heed Accept"
        raise AssociationError(str(uri), detail)
    return peeked


def _damage(store: ObjectStore, uri: S3Uri, names: tuple[str, ...], cause: Exception) -> AssociationError:
    found = csv_records.damages(store, uri, names, header=False, cause=cause)
    return AssociationError(str(uri), f"{found[0].rule}: {found[0].value!r}", found[0].record)


# ------------------------------------------------------------------------------------------------------- the rows


def kept_schema(store: ObjectStore, uri: S3Uri) -> pa.Schema:
    """Read which columns were kept; AssociationError if that cannot be read."""
    try:
        return parquet.schema_of(store, store.stat(uri))
    except MalformedRecord as error:
        raise AssociationError(str(uri), f"{error.detail}; prepare the input anew") from error


def _kept(store: ObjectStore, uri: S3Uri, rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with spooled(store, uri) as file:
        try:
            if (count := parquet.row_count(file)) != rows:
                raise AssociationError(str(uri), f"has {count} rows of kept columns, where {rows} were prepared")
            yield from parquet.batches(file, schema.names)
        except MalformedRecord as error:
            raise AssociationError(str(uri), f"{error.detail}; prepare the input anew") from error


def _numbered(source: S3Uri, rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(1, rows + 1, BATCH_ROWS):
        numbers: Any = pa.array(range(start, min(start + BATCH_ROWS, rows + 1)), pa.int64())
        yield pa.RecordBatch.from_arrays([pa.repeat(str(source), len(numbers)), numbers], schema=UNPREPARED)


def _count(store: ObjectStore, uri: S3Uri) -> int:
    """Count the lines with something on them: what SplitType Line makes of an object."""
    count, rest = 0, b""
    with store.reader(uri) as source:
        while data := source.read(CHUNK):
            *whole, rest = (rest + data).split(b"\n")
            count += sum(map(bool, map(bytes.strip, whole)))
    return count + bool(rest.strip())
