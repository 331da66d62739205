"""Parquet objects, read and written a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.failures import storage_error
from airflow_batchtx.storage.port import ObjectStore, StoredObject
from airflow_batchtx.storage.tables.streams import DigestWriter, RangedFile, spooled

# Bytes of columns in one record batch, about.
BATCH = 2 * 1024 * 1024
BATCH_ROWS = 65_536
# Bytes read ahead, for all columns together, and for one at least and at most.
READ_AHEAD = 16 * 1024 * 1024
COLUMN_READ_AHEAD = (16 * 1024, 256 * 1024)
# Bytes of an object that are there as soon as a request for its footer alone would be answered.
SHORT = 8 * 1024 * 1024
# Bytes of columns, as they are in memory, that make a row group.
ROW_GROUP = 8 * 1024 * 1024
# Bytes of first rows from which on a look at them takes less time than it may save.
LOOK = 256 * 1024
# First values of a column that are compressed to see what that is worth, and how much of them is left if it is nothing.
SAMPLE_ROWS, DENSE = 32_768, 0.9
_SNAPPY: Any = pa.Codec("snappy")


def schema_of(store: ObjectStore, found: StoredObject) -> pa.Schema:
    """Read the schema of an object from its footer alone; MalformedRecord if it is no Parquet."""
    file: Any = RangedFile(store, found.uri, found.size)
    with _typed_errors("is no Parquet"):
        return pq.read_schema(file)


class ParquetTable:
    """An open object. MalformedRecord says that it is no Parquet."""

    def __init__(self, file: Any, footer: Any) -> None:
        self._file = file
        with _typed_errors("is no Parquet"):
            self.metadata = pq.read_metadata(footer)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.metadata.num_rows

    def whole(self) -> pa.Table:
        """Read everything; MalformedRecord says that the object is damaged."""
        with _typed_errors("is damaged"):
            # Not by `read_table`, whose threads may hold the file longer than the interpreter lives: that aborts it.
            return pq.ParquetFile(self._file, metadata=self.metadata, pre_buffer=False).read()

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the columns in the order asked for, batch by batch, the same batches for the same object.

        MalformedRecord says that the object is damaged, and behind which row.
        """
        # Without a buffer size a whole row group's columns would be held in memory.
        least, most = COLUMN_READ_AHEAD
        read_ahead = max(least, min(most, READ_AHEAD // max(len(columns), 1)))
        with _typed_errors("is damaged"):
            source = pq.ParquetFile(self._file, metadata=self.metadata, buffer_size=read_ahead, pre_buffer=False)
            rows = _batch_rows(self.metadata, frozenset(columns))
            found = source.iter_batches(batch_size=rows, columns=list(columns))
        seen = 0
        while True:
            with _typed_errors(f"is damaged behind row {seen}"):
                batch = next(found, None)
            if batch is None:
                return
            seen += batch.num_rows
            yield batch.select(list(columns))


@contextmanager
def opened(store: ObjectStore, uri: S3Uri) -> Iterator[ParquetTable]:
    """Open an object, whose rows are read while it is still on its way.

    ObjectChanged says that it was written anew meanwhile; MalformedRecord that it is no Parquet.
    """
    with spooled(store, uri) as file:
        # The footer is what comes last and is read first.
        is_long = file.size > SHORT
        table = ParquetTable(file, RangedFile(store, uri, file.size) if is_long else file)
        yield table
        if is_long and not ParquetTable(file, file).metadata.equals(table.metadata):
            raise storage_error(uri, "PreconditionFailed", "the object changed while it was read")


@contextmanager
def _typed_errors(what: str) -> Iterator[None]:
    # Of a page that does not decompress, Arrow raises an OSError.
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise MalformedRecord(f"{what}: {error}") from error


def _batch_rows(metadata: Any, columns: frozenset[str]) -> int:
    if not metadata.num_rows:
        return BATCH_ROWS
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    chunks = (group.column(index) for group in groups for index in range(group.num_columns))
    size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns)
    fitting: int = BATCH * metadata.num_rows // max(size, 1)
    return max(1, min(BATCH_ROWS, fitting))


class ParquetSink:
    """Writes batches of any size to an object, in row groups of a size that readers like."""

    def __init__(self, target: DigestWriter, schema: pa.Schema) -> None:
        self._target, self._schema = target, schema
        self._writer: Any = None
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._broken = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        self._held.append(batch)
        self._size += batch.nbytes
        if self._size >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is held, and the footer; nothing behind an error of `target`, which has been raised."""
        if not self._broken:
            self._flush()
            # Schema.empty_table() makes pyarrow import pandas, 50 MB of it.
            self._opened(pa.Table.from_batches([], self._schema)).close()
        elif self._writer is not None:
            # Arrow would raise one of its own in its place, that the file is closed.
            with suppress(pa.ArrowInvalid):
                self._writer.close()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held:
            table = pa.Table.from_batches(held, self._schema)
            self._broken = True
            self._opened(table).write_table(table, row_group_size=len(table))
            self._broken = False

    def _opened(self, first: pa.Table) -> Any:
        """Give what writes, made at the first rows."""
        if self._writer is None:
            # Dictionaries double the time of writing, and what is written is mostly numbers and ids.
            file: Any = self._target
            self._writer = pq.ParquetWriter(file, self._schema, use_dictionary=False, compression=_compression(first))
        return self._writer


def _compression(first: pa.Table) -> Any:
    """Choose each column's compression by its first values, if there are enough of them."""
    columns = zip(first.schema.names, first.columns, strict=True) if first.nbytes >= LOOK else ()
    dense = [name for name, column in columns if _is_dense(column)]
    return {**dict.fromkeys(_paths(first.schema), "snappy"), **dict.fromkeys(dense, "none")} if dense else "snappy"


def _paths(schema: pa.Schema) -> Iterator[str]:
    """Name the columns that Parquet makes of a schema: of a nested one each part by its path, such as a.list.element.

    Arrow does not compress what is not named where anything is.
    """
    file: Any = pa.BufferOutputStream()
    pq.write_metadata(schema, file)
    found = pq.read_metadata(pa.BufferReader(file.getvalue())).schema
    return (found.column(place).path for place in range(len(found)))


def _is_dense(column: Any) -> bool:
    """Tell whether a column holds fractions that are as good as random: to compress these takes long, for nothing."""
    if not pa.types.is_floating(column.type):
        return False
    # Nulls have a place in memory, but none in Parquet.
    values = column.slice(0, SAMPLE_ROWS).drop_null().combine_chunks()
    width, (_, body) = values.type.bit_width // 8, values.buffers()
    sample = body.slice(values.offset * width, len(values) * width)
    return bool(_SNAPPY.compress(sample).size > DENSE * sample.size) if sample.size else False
