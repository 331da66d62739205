"""The numbers of a written table: what is in it and what is not, how predictions are spread, what the job took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

import pyarrow as pa

from airflow_batchtx.association.dead_letters import TOLD
from airflow_batchtx.association.distributions import Distribution, Spread
from airflow_batchtx.association.partitions import NULL
from airflow_batchtx.spec.associated import AssociatedManifest, Part
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables import csv_records, csv_text, jsonl_records, parquet

Progress: TypeAlias = Callable[[int, int], None]
REASON = "_reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A table as it was written, by the job that answered it.

    `distributions` are those of the model's columns, `reasons` says why dead rows are dead, None without any.
    """

    output: str
    table: AssociatedManifest
    result: TransformResult
    distributions: tuple[Distribution, ...]
    reasons: Distribution | None


def report(store: ObjectStore, manifest: S3Uri, result: TransformResult, *, progress: Progress | None = None) -> Report:
    """Read what an associate task wrote, by its manifest, and count it. Memory does not grow with the table.

    `progress` is told the bytes of the parts that are counted, of all. MalformedRecord where it is no such manifest.
    """
    table = AssociatedManifest.read(store.get(manifest))
    spreads = {name: Spread(name, _kind(table.columns[name])) for name in table.predictions}
    reasons = Spread(REASON, TOLD.field(REASON).type)
    total, done = sum(part.bytes for part in table.parts), 0
    for part in table.parts:
        _count(store, table, part, spreads)
        done += part.bytes
        if progress:
            progress(done, total)
    for part in table.dead_letters:
        for batch in _parquet(store, S3Uri.parse(part.uri), {REASON: TOLD.field(REASON).type}):
            reasons.add(batch.column(0))
    return Report(
        output=str(manifest.folder),
        table=table,
        result=result,
        distributions=tuple(spread.counted() for spread in spreads.values()),
        reasons=reasons.counted() if table.dead_letters else None,
    )


def _kind(name: str) -> pa.DataType:
    """Give the type that a manifest names, text for one that has parameters: such columns are no numbers."""
    try:
        named: Any = pa.type_for_alias
        kind: pa.DataType = named(name)
    except ValueError:
        return pa.string()
    return kind


# ------------------------------------------------------------------------------------------------------ the parts

Kinds: TypeAlias = "Mapping[str, pa.DataType]"


def _count(store: ObjectStore, table: AssociatedManifest, part: Part, spreads: Mapping[str, Spread]) -> None:
    """Count what lies in a part, and what the names of its folders say of all its rows."""
    inside = {name: _kind(table.columns[name]) for name in spreads if name not in table.partition_by}
    for batch in _READERS[table.format](store, S3Uri.parse(part.uri), inside) if inside else ():
        for name, column in zip(inside, batch.columns, strict=True):
            spreads[name].add(column)
    for name, value in _folders(part, table.partition_by):
        if name in spreads:
            spreads[name].add(_repeated(value, part.rows).cast(_kind(table.columns[name])))


def _folders(part: Part, partition_by: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    steps = part.uri.split("/")[-1 - len(partition_by) : -1]
    for name, step in zip(partition_by, steps, strict=True):
        value = unquote(step.partition("=")[2])
        yield name, None if value == NULL else value


def _repeated(value: str | None, count: int) -> Any:
    return pa.repeat(pa.scalar(value, pa.string()), count)


def _parquet(store: ObjectStore, uri: S3Uri, kinds: Kinds) -> Iterator[pa.RecordBatch]:
    with parquet.opened(store, uri) as table:
        yield from table.batches(list(kinds))


def _csv(store: ObjectStore, uri: S3Uri, kinds: Kinds) -> Iterator[pa.RecordBatch]:
    with store.reader(uri) as source:
        for batch in csv_records.batches(source, list(kinds), header=True):
            columns = [_typed(column, kind) for column, kind in zip(batch.columns, kinds.values(), strict=True)]
            yield pa.RecordBatch.from_arrays(columns, names=list(kinds))


def _typed(column: Any, kind: pa.DataType) -> Any:
    """Give a column of text its type again; an empty cell of another type is a null."""
    return column if pa.types.is_string(kind) else csv_text.blanks_as_nulls(column).cast(kind)


def _json_lines(store: ObjectStore, uri: S3Uri, kinds: Kinds) -> Iterator[pa.RecordBatch]:
    return (chunk.batch for chunk in jsonl_records.chunks(store, uri, pa.schema(list(kinds.items())), others=True))


_READERS: Mapping[str, Callable[[ObjectStore, S3Uri, Kinds], Iterator[pa.RecordBatch]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "jsonlines": _json_lines,
}
