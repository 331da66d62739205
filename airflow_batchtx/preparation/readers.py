"""How objects of each format are read: what columns they have, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.storage.port import ObjectStore, StoredObject
from airflow_batchtx.storage.tables import csv_records, jsonl_records, parquet
from airflow_batchtx.storage.tables.chunks import Chunk
from airflow_batchtx.storage.tables.csv_dialect import COMMAS, Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object, and how it is to be read. All names are those that it has itself.

    `header` and `names`: where the columns of CSV have their names from. `given`: types that are asked for by name.
    `others`: whether there may be columns besides those that are asked for.
    """

    object: StoredObject
    format: str
    compression: str | None = None
    dialect: Dialect = COMMAS
    header: bool = True
    names: tuple[str, ...] = ()
    given: Mapping[str, pa.DataType]
    others: bool = True


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads objects of a format.

    `schema` finds the columns by an object's beginning or end; MalformedRecord says that it is not of the format.
    `chunks` yields the columns of a schema, and of about `most` damaged records what is wrong with them (None: all).
    """

    schema: Callable[[ObjectStore, Stored], pa.Schema]
    chunks: Callable[[ObjectStore, Stored, pa.Schema, int | None], Iterator[Chunk]]


# ------------------------------------------------------------------------------------------------------------- CSV


def _csv_schema(store: ObjectStore, stored: Stored) -> pa.Schema:
    cells = csv_records.head(store, stored.object.uri, stored.dialect, stored.compression)
    if stored.header and not cells:
        raise MalformedRecord("is empty, without even a header")
    if not stored.header and cells and len(cells) != len(stored.names):
        raise MalformedRecord(f"has {len(cells)} cells in its first record, where {len(stored.names)} names are given")
    return pa.schema([(name, pa.string()) for name in (cells if stored.header else stored.names)])


def _csv(store: ObjectStore, stored: Stored, wanted: pa.Schema, most: int | None) -> Iterator[Chunk]:
    return csv_records.chunks(
        store,
        stored.object.uri,
        wanted.names if stored.header else stored.names,
        header=stored.header,
        dialect=stored.dialect,
        compression=stored.compression,
        most=most,
    )


# ------------------------------------------------------------------------------------------------------ JSON Lines


def _json_schema(store: ObjectStore, stored: Stored) -> pa.Schema:
    return jsonl_records.schema_of(store, stored.object.uri, stored.given, stored.compression)


def _json(store: ObjectStore, stored: Stored, wanted: pa.Schema, _: int | None) -> Iterator[Chunk]:
    return jsonl_records.chunks(store, stored.object.uri, wanted, others=stored.others, compression=stored.compression)


# --------------------------------------------------------------------------------------------------------- Parquet


def _parquet_schema(store: ObjectStore, stored: Stored) -> pa.Schema:
    if stored.compression is not None:
        raise MalformedRecord(f"cannot be read: Parquet that is compressed as a whole, by {stored.compression}")
    return parquet.schema_of(store, stored.object)


def _parquet(store: ObjectStore, stored: Stored, wanted: pa.Schema, _: int | None) -> Iterator[Chunk]:
    with parquet.opened(store, stored.object.uri) as table:
        total, seen = table.rows, 0
        for batch in table.batches(wanted.names):
            numbers = range(seen + 1, seen + batch.num_rows + 1)
            seen += batch.num_rows
            yield Chunk(batch, numbers, stored.object.size * seen // total)


READERS: Mapping[str, Reader] = {
    "csv": Reader(_csv_schema, _csv),
    "parquet": Reader(_parquet_schema, _parquet),
    "jsonlines": Reader(_json_schema, _json),
}
