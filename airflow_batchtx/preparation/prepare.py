"""Makes shards for a model out of tables."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import chain

from airflow_batchtx.errors import InvalidData, Problem, refuse
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

_OURS = re.compile(r"part-\d{5,}\.(csv|parquet)")


def prepare(store: ObjectStore, request: PrepareRequest) -> PreparedInput:
    """Write headerless CSV shards below `<output>/shards/`, kept columns below `<output>/kept/`, the manifest last.

    The same source gives the same bytes. The manifest of an earlier run goes first and its shards with it, so what has
    a manifest is always whole; after an error nothing is left. InvalidData names everything that is wrong with the
    source, InvalidInput what is wrong with the request. Memory does not grow with the data.
    """
    planned = plan(store, request)
    refuse(InvalidData, "prepare", _strangers(store, request))
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
    store.delete(uri for uri in _written(store, request) if _OURS.fullmatch(uri.name))


def _written(store: ObjectStore, request: PrepareRequest) -> Iterator[S3Uri]:
    return (found.uri for found in chain(store.objects(request.shards), store.objects(request.kept)))


def _strangers(store: ObjectStore, request: PrepareRequest) -> Iterator[Problem]:
    """Find objects that a transform of the shards would take for shards."""
    for found in store.objects(request.shards):
        if not _OURS.fullmatch(found.uri.name):
            remedy = "Take it away, or choose an output prefix that belongs to this task."
            yield Problem("output", str(found.uri), "is there already and is no shard", remedy)


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
