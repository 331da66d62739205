"""Which output answers which input, where the job has it on record: as it says there, and only as both still are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_batchtx.association.pairing import Pair, named, paired, refuse_missing
from airflow_batchtx.errors import AssociationError, MalformedRecord, OutputMissing, StaleOutput
from airflow_batchtx.planning.selection import common_folder
from airflow_batchtx.spec.intent import ObjectState
from airflow_batchtx.spec.manifest import PreparedManifest, Shard
from airflow_batchtx.spec.record import Answered, Record
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject
from airflow_batchtx.storage.stats import stats


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An input of the job, and the shard that it is where it was prepared."""

    answered: Answered
    shard: Shard | None

    @property
    def source(self) -> S3Uri:
        return S3Uri.parse(self.answered.input)

    @property
    def target(self) -> S3Uri:
        return S3Uri.parse(self.answered.output)


def recorded(store: ObjectStore, result: TransformResult) -> Record | None:
    """Read what the job came to, None where that was not put on record; AssociationError for what is no record."""
    if result.record is None:
        return None
    try:
        return Record.read(store.get(S3Uri.parse(result.record)))
    except MalformedRecord as error:
        raise AssociationError(result.record, error.detail) from error


def by_record(
    store: ObjectStore,
    result: TransformResult,
    record: Record,
    manifest: PreparedManifest | None,
    *,
    all_answered: bool = True,
) -> tuple[Pair, ...]:
    """Give every input object with its output, whichever attempt wrote it, in the order of the input.

    OutputMissing names all inputs without one, unless they need not be `all_answered`; StaleOutput all outputs that are
    not those on record, or that answer an input which has changed: by sha256 where a prepare task told it, however
    often it ran, else by ETag and size. AssociationError says that prepare lists other shards than the job read.
    """
    wanted = _wanted(result, record, manifest)
    targets = {one.target for one in wanted}
    # Of a job that answers for many tables, only what is below the folder of this one.
    folder = common_folder(targets) if targets else S3Uri.parse(result.output).as_folder()
    found = {stored.uri: stored for stored in store.objects(folder) if stored.uri in targets}
    there = {one.target for one in wanted if not _is_missing(one, found)}
    if all_answered:
        refuse_missing([(one.source, one.target) for one in wanted if _is_missing(one, found)], len(wanted))
    _refuse_stale(
        [
            one.answered
            for one in wanted
            if one.target in there and not _looks_as(found[one.target], one.answered.state)
        ],
        f"is not the output that job {record.job_name} has on record for {{input}}: it was written anew since",
    )
    _refuse_stale(
        _changed(store, wanted),
        f"answers {{input}} as job {record.job_name} read it: that has changed since, or is gone",
    )
    return tuple(_pair(one, found[one.target]) if one.target in there else _unanswered(one, record) for one in wanted)


def _wanted(result: TransformResult, record: Record, manifest: PreparedManifest | None) -> tuple[_Wanted, ...]:
    if manifest is None:
        return tuple(_Wanted(one, None) for one in record.objects)
    read = {one.input: one for one in record.objects}
    shards = {shard.uri: shard for shard in manifest.shards}
    if unread := [shard for shard in manifest.shards if shard.uri not in read]:
        names = named(shard.uri for shard in unread)
        detail = f"{len(unread)} of {len(shards)} shards were not read by job {record.job_name}: {names}"
        raise OutputMissing(unread[0].uri, detail)
    if gone := [one for one in record.objects if one.input not in shards]:
        detail = f"was written anew, without what job {record.job_name} read: {named(one.input for one in gone)}"
        raise AssociationError(result.prepared or "", detail)
    return tuple(_Wanted(read[shard.uri], shard) for shard in manifest.shards)


def _is_missing(one: _Wanted, found: Mapping[S3Uri, StoredObject]) -> bool:
    return one.answered.state is None or one.target not in found


def _refuse_stale(stale: Sequence[Answered], why: str) -> None:
    if stale:
        first, *others = stale
        also = f"; so it is with {named(one.output for one in others)}" if others else ""
        raise StaleOutput(first.output, why.format(input=first.input) + also)


def _looks_as(found: StoredObject, state: ObjectState | None) -> bool:
    if state is None or found.etag != state.etag:
        return False
    return found.last_modified == (datetime.fromisoformat(state.modified) if state.modified else None)


def _changed(store: ObjectStore, wanted: Sequence[_Wanted]) -> list[Answered]:
    """Give the inputs that are not what the job read: by sha256 where prepare tells it, else by ETag and size."""
    looked_at = [one.source for one in wanted if not _is_hashed(one)]
    found = dict(zip(looked_at, stats(store, looked_at), strict=True))
    return [one.answered for one in wanted if not _is_same(one, found.get(one.source))]


def _is_hashed(one: _Wanted) -> bool:
    return one.shard is not None and one.answered.sha256 is not None


def _is_same(one: _Wanted, found: StoredObject | None) -> bool:
    read = one.answered
    if one.shard and _is_hashed(one):
        return one.shard.sha256 == read.sha256
    return found is not None and (found.etag, found.size) == (read.etag, read.size)


def _unanswered(one: _Wanted, record: Record) -> Pair:
    why = f"job {record.job_name} left no output of {one.source}"
    return replace(_pair(one, StoredObject(one.target, 0, "")), unanswered=why)


def _pair(one: _Wanted, answers: StoredObject) -> Pair:
    return paired(one.source, answers, one.shard)
