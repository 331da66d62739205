"""Objects that are sent whole, images and documents: chosen and listed, neither read nor copied."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa

from airflow_batchtx.errors import InvalidData, Problem, StorageError, refuse
from airflow_batchtx.planning.selection import Found, InputSet, select
from airflow_batchtx.preparation.request import JSON_LINES, PrepareRequest, is_folder
from airflow_batchtx.preparation.rows import rows
from airflow_batchtx.preparation.source import plan
from airflow_batchtx.spec.enums import SplitType
from airflow_batchtx.spec.manifest import PreparedManifest, Shard, SourceObject
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject
from airflow_batchtx.storage.tables.parquet import ParquetSink
from airflow_batchtx.storage.tables.streams import DigestWriter

log = logging.getLogger(__name__)

# How many objects are named.
MOST = 10
# The column that a table of kept columns names its objects by.
OBJECT = "object"
KEPT: tuple[tuple[str, pa.DataType], ...] = (
    (OBJECT, pa.string()),
    ("size", pa.int64()),
    ("etag", pa.string()),
    ("last_modified", pa.timestamp("us", "UTC")),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The objects in the order of their keys, the folder that their paths are relative to, and what is kept of each."""

    folder: S3Uri
    objects: tuple[StoredObject, ...]
    kept: pa.Table
    source: tuple[SourceObject, ...]


def chosen(store: ObjectStore, request: PrepareRequest) -> Chosen:
    """Choose the objects; InvalidData names everything that stands in the way of sending them all."""
    looked = [_below(store, uri) for uri in request.source]
    problems = [found for found in looked if isinstance(found, Problem)]
    listed = {one.uri: one for found in looked if not isinstance(found, Problem) for one in found}
    if len(buckets := sorted({uri.bucket for uri in request.source})) > 1:
        rule = "are in several buckets, where a job's input is in one"
        problems.append(Problem("source", buckets, rule, "Prepare one input for each bucket, and give each a job."))
    refuse(InvalidData, "prepare", problems)
    found = select(request.source, map(_found, listed.values()), include=request.include, exclude=request.exclude)
    refuse(InvalidData, "prepare", _unfit(request, found))
    objects = tuple(listed[one.uri] for one in found.chosen)
    own, more, source = _own(objects), *_beside(store, request, found.base, objects)
    kept = pa.Table.from_arrays([*own.columns, *more.columns], names=[*own.column_names, *more.column_names])
    return Chosen(found.base, objects, kept, source)


def listed(store: ObjectStore, request: PrepareRequest, chosen: Chosen) -> PreparedManifest:
    """Write the kept columns, and list the objects as shards of one row each."""
    uri = request.kept / "part-00000.parquet"
    with store.writer(uri) as target, closing(ParquetSink(DigestWriter(target), chosen.kept.schema)) as sink:
        for batch in chosen.kept.to_batches():
            sink.write(batch)
    return PreparedManifest(
        input=str(chosen.folder),
        content_type=request.content_type,
        split_type=SplitType.NONE.value,
        columns=(),
        kept={field.name: str(field.type) for field in chosen.kept.schema},
        source=chosen.source,
        shards=tuple(
            Shard(uri=str(one.uri), rows=1, bytes=one.size, sha256=None, kept=str(uri), etag=one.etag, kept_row=number)
            for number, one in enumerate(chosen.objects)
        ),
    )


def _below(store: ObjectStore, uri: S3Uri) -> list[StoredObject] | Problem:
    try:
        return list(store.objects(uri)) if is_folder(uri) else [store.stat(uri)]
    except StorageError as error:
        remedy = "Name an object that exists, or a folder with a slash at its end."
        return Problem("source", str(uri), f"cannot be read: {error.detail} ({error.code})", remedy)


def _found(one: StoredObject) -> Found:
    return Found(uri=one.uri, size=one.size, etag=one.etag)


def _unfit(request: PrepareRequest, found: InputSet) -> Iterator[Problem]:
    if found.empty:
        log.warning("%d objects of 0 bytes are left out: %s, ...", len(found.empty), found.empty[0])
    for uri in found.empty:
        if uri in request.source:
            yield Problem("source", str(uri), "has 0 bytes, of which there is nothing to send", "Leave it out.")
    if not found.chosen:
        source = [str(uri) for uri in request.source]
        beside = f"{len(found.empty)} are empty, {found.left_out} are left out"
        yield Problem("source", source, f"holds no object to send ({beside})", "Look at the prefix, and the patterns.")


def _own(objects: Iterable[StoredObject]) -> pa.Table:
    values = [(str(one.uri), one.size, one.etag, one.last_modified) for one in objects]
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(zip(*values, strict=True), KEPT, strict=True)]
    return pa.Table.from_arrays(arrays, names=[name for name, _ in KEPT])


# --------------------------------------------------------------------------------------- what a table tells of them


def _beside(
    store: ObjectStore, request: PrepareRequest, folder: S3Uri, objects: tuple[StoredObject, ...]
) -> tuple[pa.Table, tuple[SourceObject, ...]]:
    """Read what is kept from a table, in the order of the objects."""
    if request.keep_from is None:
        return pa.table({}), ()
    table, read = _table(store, request, request.keep_from)
    places = _places(folder, objects)
    named: list[str | None] = table.column(OBJECT).to_pylist()
    refuse(InvalidData, "prepare", _unmatched(request.keep_from, places, named, objects))
    order = [0] * len(objects)
    for row, name in enumerate(named):
        order[places[name or ""]] = row
    return table.drop_columns([OBJECT]).take(pa.array(order, pa.int64())).combine_chunks(), read


def _table(store: ObjectStore, request: PrepareRequest, uri: S3Uri) -> tuple[pa.Table, tuple[SourceObject, ...]]:
    asked = replace(request, source=(uri,), content_type=JSON_LINES, keep_from=None, include=(), exclude=(), types={})
    names = plan(store, asked).columns
    if OBJECT not in names:
        rule = f"has no column {OBJECT}; it has {', '.join(names)}"
        refuse(InvalidData, "prepare", (Problem("keep_from", str(uri), rule, "Name the objects in one."),))
    if both := [name for name, _ in KEPT[1:] if name in names]:
        rule = "has columns of which every object has its own"
        refuse(InvalidData, "prepare", (Problem("keep_from", both, rule, "Rename them."),))
    planned = plan(store, replace(asked, columns=(OBJECT,), keep=names, types=request.types))
    batches = [part.kept for part in rows(store, planned) if part.kept is not None]
    read = tuple(
        SourceObject(uri=str(one.stored.uri), size=one.stored.size, etag=one.stored.etag) for one in planned.tables
    )
    return pa.Table.from_batches(batches, planned.kept), read


def _places(folder: S3Uri, objects: Iterable[StoredObject]) -> Mapping[str, int]:
    """Give the place of each object by all that it may be called: its URI, and its path below the folder."""
    by_uri = {str(one.uri): place for place, one in enumerate(objects)}
    cut = len(str(folder))
    return {uri[cut:]: place for uri, place in by_uri.items()} | by_uri


def _unmatched(
    table: S3Uri, places: Mapping[str, int], named: list[str | None], objects: tuple[StoredObject, ...]
) -> Iterator[Problem]:
    """Find rows of no object, objects of no row, and of more than one."""
    rows_of: dict[int, list[int]] = {}
    strange = []
    for row, name in enumerate(named, 1):
        place = None if name is None else places.get(name)
        if place is None:
            strange.append((row, name))
        else:
            rows_of.setdefault(place, []).append(row)
    for row, name in strange[:MOST]:
        yield Problem(f"{table}, row {row}", name, "names no object of the source", "Take the row out.")
    twice = [(place, found) for place, found in rows_of.items() if len(found) > 1]
    for place, found in twice[:MOST]:
        rule = f"has {len(found)} rows in {table}: {', '.join(map(str, found[:MOST]))}"
        yield Problem("keep_from", str(objects[place].uri), rule, "Leave one of them.")
    lost = [one for place, one in enumerate(objects) if place not in rows_of]
    for one in lost[:MOST]:
        rule = f"has no row in {table}, as {len(lost)} of {len(objects)} objects have none"
        yield Problem("keep_from", str(one.uri), rule, "Add one, or leave the object out by exclude.")
