"""Which output answers which input, where nothing is on record: by name, never by guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from airflow_batchtx.errors import AssociationError, MalformedRecord, OutputMissing, StaleOutput
from airflow_batchtx.planning.transfers import Transfer, output_of, transfers
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject

# How many objects an error names.
MOST = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """An input object and its output. `rows` and `kept` are prepare's; None where the input was not prepared."""

    source: S3Uri
    answers: StoredObject
    rows: int | None = None
    kept: S3Uri | None = None


@dataclass(frozen=True, slots=True)
class _Expected:
    source: S3Uri
    target: S3Uri
    since: datetime | None
    rows: int | None = None
    kept: S3Uri | None = None


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
    S3's own clock: an earlier job wrote it.
    """
    expected = tuple(_listed(store, result) if manifest is None else _shards(store, result, manifest))
    wanted = {one.target for one in expected}
    folder = S3Uri.parse(result.output).as_folder()
    found = {stored.uri: stored for stored in store.objects(folder) if stored.uri in wanted}
    refuse_missing([(one.source, one.target) for one in expected if one.target not in found], len(expected))
    created = datetime.fromisoformat(result.created).replace(microsecond=0) if result.created else None
    for one in expected:
        _refuse_stale(one, found[one.target], created)
    return tuple(Pair(one.source, found[one.target], one.rows, one.kept) for one in expected)


def _shards(store: ObjectStore, result: TransformResult, manifest: PreparedManifest) -> Iterator[_Expected]:
    since = store.stat(S3Uri.parse(result.prepared or "")).last_modified
    base = len(S3Uri.parse(manifest.input).folder.key)
    for shard in manifest.shards:
        source = S3Uri.parse(shard.uri)
        target = output_of(source.key[base:], S3Uri.parse(result.output))
        yield _Expected(source, target, since, shard.rows, S3Uri.parse(shard.kept) if shard.kept else None)


def _listed(store: ObjectStore, result: TransformResult) -> Iterator[_Expected]:
    prefix = S3Uri.parse(result.input)
    found = {stored.uri: stored for stored in store.objects(prefix) if stored.size}
    if not found:
        raise AssociationError(str(prefix), "holds no objects: there is nothing that the answers could belong to")
    planned: Iterable[Transfer] = transfers(prefix, found, S3Uri.parse(result.output))
    return (_Expected(one.source, one.target, found[one.source].last_modified) for one in planned)


def refuse_missing(missing: Sequence[tuple[S3Uri, S3Uri]], total: int) -> None:
    """Raise OutputMissing if any inputs, given with the outputs that they should have, of `total` have none."""
    if missing:
        names = named(target for _, target in missing)
        raise OutputMissing(str(missing[0][0]), f"{len(missing)} of {total} inputs have no output; missing: {names}")


def named(uris: Iterable[object]) -> str:
    """List the first of some objects, for people."""
    found = [str(uri) for uri in islice(uris, MOST + 1)]
    return ", ".join(found[:MOST]) + ", ..." * (len(found) > MOST)


def _refuse_stale(one: _Expected, answers: StoredObject, created: datetime | None) -> None:
    # S3 gives whole seconds: what happened within one is not told apart.
    for since, what in ((one.since, f"its input {one.source} was written"), (created, "the job was created")):
        if answers.last_modified and since and answers.last_modified < since.replace(microsecond=0):
            raise StaleOutput(str(answers.uri), f"is older than it could be: {what} at {since.isoformat()}")
