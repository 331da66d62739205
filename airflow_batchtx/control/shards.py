"""What prepare tasks made, as the input of one job: nothing beside it, and nothing that has changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from airflow_batchtx.errors import InvalidJob, Problem, refuse
from airflow_batchtx.planning.selection import Found, InputSet, common_folder, select
from airflow_batchtx.planning.transfers import is_marker
from airflow_batchtx.spec.manifest import PreparedManifest, Shard
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject

_AGAIN = "Prepare the input again."


def manifest_of(store: ObjectStore, prepared: Sequence[PreparedInput]) -> PreparedManifest:
    """Read the manifest of what one task prepared, or of what several did as if one had; InvalidJob if none could."""
    manifests = [PreparedManifest.read(store.get(S3Uri.parse(one.manifest))) for one in prepared]
    if len(manifests) == 1:
        return manifests[0]
    refuse(InvalidJob, "prepared input", _different(prepared, manifests))
    return replace(
        manifests[0],
        input=str(common_folder(S3Uri.parse(one.input) for one in manifests)),
        source=tuple(part for one in manifests for part in one.source),
        shards=tuple(part for one in manifests for part in one.shards),
        why=tuple(part for one in manifests for part in one.why),
        quarantined=sum(one.quarantined for one in manifests),
        quarantine=tuple(part for one in manifests for part in one.quarantine),
    )


def _different(prepared: Sequence[PreparedInput], manifests: Sequence[PreparedManifest]) -> Iterator[Problem]:
    """Find what keeps manifests from being one table, row after row."""
    first = manifests[0]
    for told, one in zip(prepared, manifests, strict=True):
        for name, mine, theirs in (
            ("columns", one.columns, first.columns),
            ("kept", list(one.kept.items()), list(first.kept.items())),
        ):
            if mine != theirs:
                rule = f"is not what {prepared[0].manifest} has: {theirs}"
                yield Problem(
                    f"{told.manifest}, {name}", mine, rule, "Name columns, keep and types in the prepare task."
                )
    counts = Counter(shard.uri for one in manifests for shard in one.shards)
    remedy = "Give each a source and an output of its own."
    yield from (
        Problem("shard", uri, "was made by several tasks", remedy) for uri, count in counts.items() if count > 1
    )


def inputs_of(store: ObjectStore, prepared: Sequence[PreparedInput]) -> tuple[InputSet, PreparedManifest]:
    """Find the shards that prepare tells of; InvalidJob names all that are gone, or were written anew since."""
    manifest = manifest_of(store, prepared)
    shards = {S3Uri.parse(shard.uri): shard for shard in manifest.shards}
    prefixes = list(dict.fromkeys(S3Uri.parse(one.input) for one in prepared))
    there = {one.uri: one for prefix in prefixes for one in store.objects(prefix) if not is_marker(one.uri)}
    refuse(InvalidJob, prepared[0].manifest, _lost(shards, there))
    found = (
        Found(uri=uri, size=there[uri].size, etag=there[uri].etag, sha256=one.sha256) for uri, one in shards.items()
    )
    inputs = select(tuple(shards), found, base=S3Uri.parse(manifest.input))
    beside = len(there) - len(shards)
    exact = len(prefixes) == 1 and len(inputs.chosen) == len(there)
    return replace(inputs, left_out=inputs.left_out + beside, exact=exact), manifest


def _lost(shards: Mapping[S3Uri, Shard], there: Mapping[S3Uri, StoredObject]) -> Iterator[Problem]:
    for uri, shard in sorted(shards.items()):
        if uri not in there:
            yield Problem("shard", str(uri), "is gone", _AGAIN)
        elif there[uri].size != shard.bytes or there[uri].etag != (shard.etag or there[uri].etag):
            yield Problem("shard", str(uri), "has changed since it was prepared", _AGAIN)
