"""Makes shards for a model out of tables."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import islice

from airflow_batchtx.errors import InvalidData, MalformedRecord, ObjectNotFound, Problem, refuse
from airflow_batchtx.preparation.cutting import numbered
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.preparation.rows import rows
from airflow_batchtx.preparation.shards import CONTENT_TYPE, write_shards
from airflow_batchtx.preparation.source import Plan, plan
from airflow_batchtx.spec.enums import AssembleWith, SplitType
from airflow_batchtx.spec.manifest import PreparedManifest, Shard, SourceObject
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

log = logging.getLogger(__name__)

# How many objects in the way are named.
MOST = 10
# What shards and their kept columns are named, by the folder that they lie in and nothing else does.
_SHARD = {"shards/": re.compile(r"part-\d{5,}\.csv"), "kept/": re.compile(r"part-\d{5,}\.parquet")}


def prepare(store: ObjectStore, request: PrepareRequest) -> PreparedInput:
    """Write headerless CSV shards below `<output>/shards/`, kept columns below `<output>/kept/`, the manifest last.

    The same source gives the same bytes. The manifest of an earlier run goes first and its shards with it, so what has
    a manifest is always whole; after an error nothing is left. InvalidData names everything that is wrong with the
    source, InvalidInput what is wrong with the request. Memory does not grow with the data.
    """
    planned = plan(store, request)
    refuse(InvalidData, "prepare", islice(_strangers(store, request), MOST))
    clear(store, request)
    try:
        shards = tuple(_shards(store, request, planned))
        manifest = _manifest(request, planned, shards)
        refuse(InvalidData, "prepare", _nothing(request, manifest))
        store.put(request.manifest, manifest.to_json(), content_type="application/json")
    except BaseException:
        clear(store, request)
        raise
    log.info("%d rows are %d shards below %s", manifest.rows, len(shards), request.shards)
    return _prepared(request, manifest)


def clear(store: ObjectStore, request: PrepareRequest) -> None:
    """Take away what a run wrote below the output, its manifest first."""
    store.delete([request.manifest])
    store.delete([uri for folder in _SHARD for uri in _below(store, request, folder) if _is_ours(request, folder, uri)])


def _below(store: ObjectStore, request: PrepareRequest, folder: str) -> Iterator[S3Uri]:
    return (found.uri for found in store.objects(request.output / folder))


def _is_ours(request: PrepareRequest, folder: str, uri: S3Uri) -> bool:
    """Tell by the whole path below the folder, which belongs to this task."""
    return _SHARD[folder].fullmatch(uri.key[len((request.output / folder).key) :]) is not None


def _strangers(store: ObjectStore, request: PrepareRequest) -> Iterator[Problem]:
    """Find objects that a transform of the shards would take for shards, and a manifest of somebody else."""
    remedy = "Take it away, or choose an output prefix that belongs to this task."
    for folder in _SHARD:
        for uri in _below(store, request, folder):
            if not _is_ours(request, folder, uri):
                yield Problem("output", str(uri), "is there already, and no prepare task wrote it", remedy)
    try:
        PreparedManifest.read(store.get(request.manifest))
    except ObjectNotFound:
        return
    except MalformedRecord as error:
        yield Problem("output", str(request.manifest), f"is there already: {error.detail}", remedy)


def _nothing(request: PrepareRequest, manifest: PreparedManifest) -> Iterator[Problem]:
    if not manifest.rows:
        source = [str(uri) for uri in request.source]
        yield Problem("source", source, "holds no rows", "Check that its data has arrived.")


def _shards(store: ObjectStore, request: PrepareRequest, planned: Plan) -> Iterator[Shard]:
    total = sum(table.stored.size for table in planned.tables)
    return write_shards(store, request, planned.kept, numbered(rows(store, planned), total, request))


def _manifest(request: PrepareRequest, planned: Plan, shards: tuple[Shard, ...]) -> PreparedManifest:
    return PreparedManifest(
        input=str(request.shards),
        content_type=CONTENT_TYPE,
        split_type=SplitType.LINE.value,
        columns=planned.columns,
        kept={field.name: str(field.type) for field in planned.kept},
        source=tuple(
            SourceObject(uri=str(table.stored.uri), size=table.stored.size, etag=table.stored.etag)
            for table in planned.tables
        ),
        shards=shards,
    )


def _prepared(request: PrepareRequest, manifest: PreparedManifest) -> PreparedInput:
    return PreparedInput(
        input=manifest.input,
        manifest=str(request.manifest),
        content_type=manifest.content_type,
        split_type=manifest.split_type,
        assemble_with=AssembleWith.LINE.value,
        shards=len(manifest.shards),
        rows=manifest.rows,
    )
