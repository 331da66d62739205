"""The rows that a model was sent: what is known of each, in the order in which they were sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from airflow_batchtx.errors import AssociationError, MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables import parquet
from airflow_batchtx.storage.tables.streams import spooled

# Rows named at once where nothing was kept.
BATCH_ROWS = 65_536
# Bytes of input read at once to count its lines.
CHUNK = 4 * 1024 * 1024
_UNPREPARED: Any = [("input_object", pa.string()), ("record", pa.int64())]
UNPREPARED = pa.schema(_UNPREPARED)


def kept_schema(store: ObjectStore, uri: S3Uri) -> pa.Schema:
    """Read which columns were kept; AssociationError if that cannot be read."""
    try:
        return parquet.schema_of(store, store.stat(uri))
    except MalformedRecord as error:
        raise AssociationError(str(uri), f"{error.detail}; prepare the input anew") from error


def kept(store: ObjectStore, uri: S3Uri, rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the kept columns of a shard, which must have so many rows; else AssociationError."""
    with spooled(store, uri) as file:
        try:
            if (count := parquet.row_count(file)) != rows:
                raise AssociationError(str(uri), f"has {count} rows of kept columns, where {rows} were prepared")
            yield from parquet.batches(file, schema.names)
        except MalformedRecord as error:
            raise AssociationError(str(uri), f"{error.detail}; prepare the input anew") from error


def numbered(source: S3Uri, rows: int) -> Iterator[pa.RecordBatch]:
    """Name rows by their object and their place in it, from 1."""
    for start in range(1, rows + 1, BATCH_ROWS):
        numbers: Any = pa.array(range(start, min(start + BATCH_ROWS, rows + 1)), pa.int64())
        yield pa.RecordBatch.from_arrays([pa.repeat(str(source), len(numbers)), numbers], schema=UNPREPARED)


def lines(store: ObjectStore, uri: S3Uri) -> int:
    """Count the lines with something on them: what SplitType Line makes of an object."""
    count, rest = 0, b""
    with store.reader(uri) as source:
        while data := source.read(CHUNK):
            *whole, rest = (rest + data).split(b"\n")
            count += sum(map(bool, map(bytes.strip, whole)))
    return count + bool(rest.strip())
