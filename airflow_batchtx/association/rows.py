"""The rows that a model was sent: what is known of each, in the order in which they were sent."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa

from airflow_batchtx.association import json_columns
from airflow_batchtx.association.documents import Documents
from airflow_batchtx.association.objects import Inputs
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.errors import AssociationError, MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables import csv_records, parquet
from airflow_batchtx.storage.tables.integers import integers
from airflow_batchtx.storage.tables.texts import repeated

# Rows named at once where nothing was kept.
BATCH_ROWS = 65_536
_UNPREPARED: Any = [("input_object", pa.string()), ("record", pa.int64())]
UNPREPARED = pa.schema(_UNPREPARED)
NOTHING = pa.schema([])
# Arrow cannot take single rows of what is only viewed.
_VIEWED: Mapping[pa.DataType, pa.DataType] = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def kept_schema(store: ObjectStore, uri: S3Uri) -> pa.Schema:
    """Read which columns were kept, views of text or bytes as such; AssociationError if that cannot be read."""
    try:
        kept = parquet.schema_of(store, store.stat(uri))
        return pa.schema([field.with_type(_VIEWED.get(field.type, field.type)) for field in kept])
    except MalformedRecord as error:
        raise AssociationError(str(uri), f"{error.detail}; prepare the input anew") from error


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of kept columns as it was when reading was planned; a process reads one store."""

    uri: S3Uri
    etag: str
    store: ObjectStore = field(compare=False)


@lru_cache(maxsize=1)
def _whole(table: _Table) -> pa.Table:
    """Read a table that many objects share, a row each, for all of them."""
    with parquet.opened(table.store, table.uri) as kept:
        return kept.whole()


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows as prepare has kept them. `tables` gives the ETags of those that objects share, a row each."""

    schema: pa.Schema
    columns: tuple[str, ...] = ()
    tables: Mapping[S3Uri, str] = field(default_factory=dict)

    @classmethod
    def of(cls, store: ObjectStore, first: S3Uri, pairs: Iterable[Pair]) -> KeptRows:
        """Look at the first table, and at all that are shared; AssociationError if the first cannot be read."""
        shared = dict.fromkeys(pair.kept for pair in pairs if pair.kept is not None and pair.kept_row is not None)
        return cls(kept_schema(store, first), tables={uri: store.stat(uri).etag for uri in shared})

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the kept columns of a shard, as many as were prepared; else AssociationError."""
        assert pair.kept is not None
        if pair.kept_row is not None:
            yield self._row(store, pair.kept, pair.kept_row)
            return
        try:
            with parquet.opened(store, pair.kept) as kept:
                if kept.rows != pair.rows:
                    detail = f"has {kept.rows} rows of kept columns, where {pair.rows} were prepared"
                    raise AssociationError(str(pair.kept), detail)
                yield from map(self._held, kept.batches(self.schema.names))
        except MalformedRecord as error:
            raise AssociationError(str(pair.kept), f"{error.detail}; prepare the input anew") from error

    def _row(self, store: ObjectStore, uri: S3Uri, place: int) -> pa.RecordBatch:
        try:
            table = _whole(_Table(uri, self.tables[uri], store))
        except MalformedRecord as error:
            raise AssociationError(str(uri), f"{error.detail}; prepare the input anew") from error
        if place >= table.num_rows:
            raise AssociationError(str(uri), f"has {table.num_rows} rows of kept columns, and no row {place}")
        return self._held(table.slice(place, 1).combine_chunks().to_batches()[0].select(self.schema.names))

    def _held(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch if batch.schema.types == self.schema.types else batch.cast(self.schema)


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """Rows that are known by their place; with another `schema` than UNPREPARED only counted."""

    inputs: Inputs
    schema: pa.Schema = UNPREPARED
    columns: tuple[str, ...] = ()

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield an input object and the place in it, from 1, of each of its records."""
        rows = self.inputs.count(store, pair)
        for start in range(1, rows + 1, BATCH_ROWS):
            numbers = integers(range(start, min(start + BATCH_ROWS, rows + 1)))
            columns = [repeated(str(pair.source), len(numbers)), numbers]
            yield pa.RecordBatch.from_arrays(columns, schema=UNPREPARED).select(self.schema.names)


@dataclass(frozen=True, slots=True)
class CsvRows:
    """Rows as the cells of the input object, which has no header, by the names of all of them.

    Those in `numbers` may come as doubles (`csv_records.batches`).
    """

    inputs: Inputs
    columns: tuple[str, ...]
    schema: pa.Schema = NOTHING
    numbers: frozenset[str] = frozenset()

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the cells."""
        yield from cells(store, pair.source, self.inputs, self.columns, self.numbers)


@dataclass(frozen=True, slots=True)
class JsonRows:
    """Rows as members of the documents in the input object."""

    inputs: Inputs
    columns: tuple[str, ...]
    schema: pa.Schema = NOTHING

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the members; AssociationError names a document without one of them."""
        seen = 0
        with self.inputs.opened(store, pair.source) as source:
            for documents in Documents(source, str(pair.source)).batches():
                yield self._batch(pair, documents, seen)
                seen += len(documents)

    def _batch(self, pair: Pair, documents: Sequence[Any], before: int) -> pa.RecordBatch:
        for index, document in enumerate(documents):
            if not isinstance(document, dict) or not document.keys() >= set(self.columns):
                missing = sorted(set(self.columns) - set(document if isinstance(document, dict) else ()))
                detail = f"has no members {', '.join(missing)}, which input_columns names"
                raise AssociationError(str(pair.source), detail, before + index + 1)
        columns = [json_columns.column([document[name] for document in documents]) for name in self.columns]
        return pa.RecordBatch.from_arrays(columns, names=list(self.columns))


Rows = KeptRows | NumberedRows | CsvRows | JsonRows


def cells(
    store: ObjectStore, uri: S3Uri, inputs: Inputs, names: Sequence[str], numbers: Collection[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Yield the cells of an input object, as text but for `numbers`; AssociationError for one that has others."""
    with inputs.opened(store, uri) as source:
        plain: Any = source
        try:
            yield from csv_records.batches(csv_records.Peeked(plain), names, header=False, numbers=numbers)
        except pa.ArrowInvalid as error:
            raise _damage(store, uri, inputs, names, error) from error


def _damage(store: ObjectStore, uri: S3Uri, inputs: Inputs, names: Sequence[str], cause: Exception) -> AssociationError:
    compression = "gzip" if inputs.gzip else None
    first, *_ = csv_records.damages(store, uri, names, header=False, compression=compression, cause=cause)
    detail = f"{first.rule}: {first.value!r}, where input_columns names {', '.join(names)}"
    return AssociationError(str(uri), detail, first.record)


def width(store: ObjectStore, uri: S3Uri, inputs: Inputs) -> int:
    """Count the cells of an input object's first record."""
    with inputs.opened(store, uri) as source:
        start = source.read(csv_records.BLOCK).removeprefix(codecs.BOM_UTF8)
    records = csv.reader(io.StringIO(start.decode(errors="replace"), newline=""))
    return len(next((record for record in records if record), []))
