"""Makes shards for a model out of tables."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from airflow_batchtx.errors import (
    InvalidData,
    MalformedRecord,
    ObjectNotFound,
    Problem,
    TooManyQuarantined,
    refuse,
)
from airflow_batchtx.planning.sharding import Sharding
from airflow_batchtx.preparation import objects, quarantine
from airflow_batchtx.preparation.cutting import numbered
from airflow_batchtx.preparation.query import Query
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.preparation.rows import Progress, lines, rows
from airflow_batchtx.preparation.shards import write_shards
from airflow_batchtx.preparation.sizing import sized
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
_SHARD = {"shards/": re.compile(r"part-\d{5,}\.(csv|jsonl)"), "kept/": re.compile(r"part-\d{5,}\.parquet")}
_ASIDE = {"quarantine/": re.compile(r"part-\d{5,}\.parquet")}
_OURS = {**_SHARD, **_ASIDE}


def prepare(
    store: ObjectStore, request: PrepareRequest, *, query: Query | None = None, progress: Progress | None = None
) -> PreparedInput:
    """Write headerless shards below `<output>/shards/`, kept columns below `<output>/kept/`, the manifest last.

    Objects that are sent whole stay where they are: they are the shards. The same source gives the same bytes. The
    manifest of an earlier run goes first and its shards with it, so what has a manifest is always whole; after an error
    nothing is left. InvalidData names everything that is wrong with the source, InvalidInput what is wrong with the
    request. Memory does not grow with the data.

    Rows that cannot be prepared are set aside below `<output>/quarantine/`, if the request allows for some. Those stay
    after TooManyQuarantined. `query` is that of a request for one. `progress` is told how much of the source is read,
    and how much there is: bytes, but for a query.
    """
    write = _objects(store, request) if request.whole else _rows(store, request, query, progress)
    refuse(InvalidData, "prepare", islice(_strangers(store, request), MOST))
    clear(store, request)
    try:
        manifest = write()
        refuse(InvalidData, "prepare", _nothing(request, manifest))
        store.put(request.manifest, manifest.to_json(), content_type="application/json")
    except TooManyQuarantined:
        _take_away(store, request, _SHARD)
        raise
    except BaseException:
        clear(store, request)
        raise
    log.info("%d rows are %d shards below %s", manifest.rows, len(manifest.shards), manifest.input)
    return _prepared(request, manifest)


def clear(store: ObjectStore, request: PrepareRequest) -> None:
    """Take away what a run wrote below the output, its manifest first."""
    store.delete([request.manifest])
    _take_away(store, request, _OURS)


def _take_away(store: ObjectStore, request: PrepareRequest, folders: Iterable[str]) -> None:
    store.delete(
        [uri for folder in folders for uri in _below(store, request, folder) if _is_ours(request, folder, uri)]
    )


def _below(store: ObjectStore, request: PrepareRequest, folder: str) -> Iterator[S3Uri]:
    return (found.uri for found in store.objects(request.output / folder))


def _is_ours(request: PrepareRequest, folder: str, uri: S3Uri) -> bool:
    """Tell by the whole path below the folder, which belongs to this task."""
    return _OURS[folder].fullmatch(uri.key[len((request.output / folder).key) :]) is not None


def _strangers(store: ObjectStore, request: PrepareRequest) -> Iterator[Problem]:
    """Find objects that a transform of the shards would take for shards, and a manifest of somebody else."""
    remedy = "Take it away, or choose an output prefix that belongs to this task."
    for folder in _OURS:
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
        field, value = ("sql", request.sql) if request.sql else ("source", [str(uri) for uri in request.source])
        yield Problem(field, value, "holds no rows", "Check that its data has arrived.")


# What is written, once all of the source has been looked at.
Writing = Callable[[], PreparedManifest]


def _objects(store: ObjectStore, request: PrepareRequest) -> Writing:
    return partial(objects.listed, store, request, objects.chosen(store, request))


def _rows(store: ObjectStore, request: PrepareRequest, query: Query | None, progress: Progress | None) -> Writing:
    return partial(_cut, store, plan(store, request, query), progress)


def _cut(store: ObjectStore, planned: Plan, progress: Progress | None) -> PreparedManifest:
    request, total, write = planned.request, planned.size, partial(lines, planned.form)
    with quarantine.opened(store, request) as aside:
        cuts, parts = sized(rows(store, planned, aside, progress), total, request.wishes, write)
        for reason in cuts.reasons:
            log.info("%s", reason)
        shards = tuple(write_shards(store, request, planned.kept, numbered(parts, total, cuts, write)))
    aside.judge(sum(shard.rows for shard in shards))
    fewer = tuple(_fewer(shards, cuts))
    for reason in fewer:
        log.warning("%s", reason)
    if aside.rows:
        log.warning("%d rows cannot be prepared, and are set aside below %s", aside.rows, request.quarantine)
    return PreparedManifest(
        input=str(request.shards),
        content_type=request.content_type,
        split_type=SplitType.LINE.value,
        columns=planned.columns,
        kept={field.name: str(field.type) for field in planned.kept},
        source=tuple(
            SourceObject(uri=str(table.stored.uri), size=table.stored.size, etag=table.stored.etag)
            for table in planned.tables
        ),
        shards=shards,
        why=(*cuts.reasons, *fewer),
        quarantined=aside.rows,
        quarantine=tuple(map(str, aside.places)),
    )


def _fewer(shards: Sequence[Shard], cuts: Sharding) -> Iterator[str]:
    if len(shards) < min(cuts.min_shards, sum(shard.rows for shard in shards)):
        yield f"But there are {len(shards)}: the last rows of the source are so large that its shares hold none."


def _prepared(request: PrepareRequest, manifest: PreparedManifest) -> PreparedInput:
    return PreparedInput(
        input=manifest.input,
        manifest=str(request.manifest),
        content_type=manifest.content_type,
        split_type=manifest.split_type,
        assemble_with=(AssembleWith.NONE if request.whole else AssembleWith.LINE).value,
        shards=len(manifest.shards),
        rows=manifest.rows,
        quarantined=manifest.quarantined,
    )
