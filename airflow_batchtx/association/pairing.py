"""Which output answers which input, where nothing is on record: by name, never by guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from airflow_batchtx.errors import AssociationError, InvalidManifest, MalformedRecord, OutputMissing, StaleOutput
from airflow_batchtx.planning import manifests
from airflow_batchtx.planning.transfers import Transfer, output_of, transfers
from airflow_batchtx.spec.enums import S3DataType
from airflow_batchtx.spec.manifest import PreparedManifest, Shard
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject
from airflow_batchtx.storage.stats import stats

# How many objects an error names.
MOST = 100
# How far the clocks of S3 and of SageMaker may be apart.
APART = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """An input object and its output. `rows` and `kept` are prepare's; None where the input was not prepared.

    `kept_row` is the place, from 0, of an object that was sent whole in the table `kept`, which it shares with others.
    `others` are pairs whose rows stand behind this one's in one part of the table.
    `unanswered` says why there is no output, where there may be none; `answers` is what it would have been then.
    """

    source: S3Uri
    answers: StoredObject
    rows: int | None = None
    kept: S3Uri | None = None
    unanswered: str | None = None
    kept_row: int | None = None
    others: tuple[Pair, ...] = ()

    @property
    def members(self) -> tuple[Pair, ...]:
        """This pair, and the others that are with it."""
        return (self, *self.others)

    @property
    def size(self) -> int:
        """Bytes of all their answers."""
        return sum(member.answers.size for member in self.members)


@dataclass(frozen=True, slots=True)
class _Expected:
    source: S3Uri
    target: S3Uri
    since: datetime | None
    shard: Shard | None = None


def prepared(store: ObjectStore, result: TransformResult) -> PreparedManifest | None:
    """Read what prepare made, None where the input was not prepared.

    AssociationError if it was prepared anew since, as far as that can be told without a record.
    """
    if result.prepared is None:
        return None
    try:
        manifest = PreparedManifest.read(store.get(S3Uri.parse(result.prepared)))
    except MalformedRecord as error:
        raise AssociationError(result.prepared, error.detail) from error
    told = (manifest.input, manifest.rows, len(manifest.shards))
    if result.record is None and told != (result.input, result.rows, result.objects):
        raise AssociationError(result.prepared, f"was written anew since job {result.job_name} read what it lists")
    return manifest


def by_name(store: ObjectStore, result: TransformResult, manifest: PreparedManifest | None) -> tuple[Pair, ...]:
    """Give every input object with its output, in the order of the input.

    OutputMissing names all inputs without one; StaleOutput an output that is older than its input or than the job, by
    S3's own clock, or newer than the job's end: another job wrote it.
    """
    expected = tuple(_listed(store, result) if manifest is None else _shards(store, result, manifest))
    wanted = {one.target for one in expected}
    folder = S3Uri.parse(result.output).as_folder()
    found = {stored.uri: stored for stored in store.objects(folder) if stored.uri in wanted}
    refuse_missing([(one.source, one.target) for one in expected if one.target not in found], len(expected))
    created, ended = _second(result.created), _second(result.ended)
    for one in expected:
        _refuse_stale(one, found[one.target], created)
        _refuse_late(found[one.target], ended)
    return tuple(paired(one.source, found[one.target], one.shard) for one in expected)


def paired(source: S3Uri, answers: StoredObject, shard: Shard | None) -> Pair:
    """Make a pair of an input object, and of what prepare says of it."""
    if shard is None:
        return Pair(source, answers)
    kept = S3Uri.parse(shard.kept) if shard.kept else None
    return Pair(source, answers, shard.rows, kept, kept_row=shard.kept_row)


def _shards(store: ObjectStore, result: TransformResult, manifest: PreparedManifest) -> Iterator[_Expected]:
    since = store.stat(S3Uri.parse(result.prepared or "")).last_modified
    prefix = S3Uri.parse(manifest.input)
    base = len(prefix.folder.key)
    # Objects that are sent whole were listed, not written: they may have changed since.
    whole = any(shard.etag for shard in manifest.shards)
    there = {stored.uri: stored for stored in store.objects(prefix)} if whole else {}
    for shard in manifest.shards:
        source = S3Uri.parse(shard.uri)
        if shard.etag and (source not in there or there[source].etag != shard.etag):
            raise StaleOutput(shard.uri, f"has changed since {result.prepared} listed it, or is gone")
        target = output_of(source.key[base:], S3Uri.parse(result.output))
        yield _Expected(source, target, since, shard)


def _listed(store: ObjectStore, result: TransformResult) -> Iterator[_Expected]:
    prefix, found = _sources(store, result)
    if not found:
        raise AssociationError(str(prefix), "holds no objects: there is nothing that the answers could belong to")
    planned: Iterable[Transfer] = transfers(prefix, found, S3Uri.parse(result.output))
    return (_Expected(one.source, one.target, found[one.source].last_modified) for one in planned)


def _sources(store: ObjectStore, result: TransformResult) -> tuple[S3Uri, dict[S3Uri, StoredObject]]:
    """Find what a job was sent: what lies below its prefix, or what its manifest names."""
    told = S3Uri.parse(result.input)
    if result.s3_data_type != S3DataType.MANIFEST_FILE:
        return told, {stored.uri: stored for stored in store.objects(told) if stored.size}
    try:
        manifest = manifests.read(store.get(told))
    except InvalidManifest as error:
        raise AssociationError(result.input, error.detail) from error
    named_there = tuple(manifest.sources)
    stored = dict(zip(named_there, stats(store, named_there), strict=True))
    if gone := [uri for uri, one in stored.items() if one is None]:
        raise AssociationError(result.input, f"names objects that are gone: {named(gone)}")
    return manifest.prefix, {uri: one for uri, one in stored.items() if one and one.size}


def refuse_missing(missing: Sequence[tuple[S3Uri, S3Uri]], total: int) -> None:
    """Raise OutputMissing if any inputs, given with the outputs that they should have, of `total` have none."""
    if missing:
        names = named(target for _, target in missing)
        raise OutputMissing(str(missing[0][0]), f"{len(missing)} of {total} inputs have no output; missing: {names}")


def named(uris: Iterable[object]) -> str:
    """List the first of some objects, for people."""
    found = [str(uri) for uri in islice(uris, MOST + 1)]
    return ", ".join(found[:MOST]) + ", ..." * (len(found) > MOST)


def _second(moment: str | None) -> datetime | None:
    return datetime.fromisoformat(moment).replace(microsecond=0) if moment else None


def _refuse_late(answers: StoredObject, ended: datetime | None) -> None:
    if answers.last_modified and ended and answers.last_modified > ended + APART:
        detail = f"was written anew since the job ended at {ended.isoformat()}: another one may have done it"
        raise StaleOutput(str(answers.uri), detail)


def _refuse_stale(one: _Expected, answers: StoredObject, created: datetime | None) -> None:
    # S3 gives whole seconds: what happened within one is not told apart.
    for since, what in ((one.since, f"its input {one.source} was written"), (created, "the job was created")):
        if answers.last_modified and since and answers.last_modified < since.replace(microsecond=0):
            raise StaleOutput(str(answers.uri), f"is older than it could be: {what} at {since.isoformat()}")
