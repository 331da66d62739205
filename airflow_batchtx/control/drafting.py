"""What a job would do if it were made now: its input as it lies there, its model, and the outputs there already."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_batchtx.control import shards
from airflow_batchtx.control.ledger import state_of
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import EmptyInput, InvalidJob, Problem, refuse
from airflow_batchtx.planning import manifests
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.planning.selection import Found, InputSet, common_folder, select
from airflow_batchtx.planning.work import work_of
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import CompressionType, S3DataType, SplitType
from airflow_batchtx.spec.intent import ObjectState, Work
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prepared import INPUT_PATH, PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject

# Objects that are asked for one by one; more are looked up in a listing of their common folder.
_FEW = 20
# How many objects are sampled, and how many bytes of each.
_HEADS, _HEAD = 2, 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job that is thought through, and not made. `outputs` is how the output prefix looked just now.

    `prepared` lists the input where prepare tasks made it, all of them in one.
    """

    inputs: InputSet
    prepared: PreparedManifest | None
    model: Mapping[str, Any]
    work: Work
    outputs: Mapping[str, ObjectState]


def drafted(services: Services, request: wire.Request, prepared: Sequence[PreparedInput], policy: Policy) -> Draft:
    """Look at everything that decides what a job does; EmptyInput where there is nothing to do.

    ModelNotFound, StorageError and JobRefused tell what is not there or may not be looked at: before the paid call.
    """
    model = services.models.describe(request["ModelName"])
    inputs, manifest = _read(services.store, request, prepared, policy)
    if not inputs.chosen:
        raise EmptyInput(_told(wire.at(request, INPUT_PATH)), len(inputs.empty), inputs.left_out)
    output = S3Uri.parse(wire.at(request, BY_NAME["output"].path))
    return Draft(
        inputs=inputs,
        prepared=manifest,
        model=model,
        work=work_of(request, model, inputs.chosen),
        outputs=outputs_below(services.store, output),
    )


def inputs_of(
    store: ObjectStore, request: Mapping[str, Any], prepared: Sequence[PreparedInput], policy: Policy
) -> InputSet:
    """Find the input objects, and choose among them."""
    return _read(store, request, prepared, policy)[0]


def _read(
    store: ObjectStore, request: Mapping[str, Any], prepared: Sequence[PreparedInput], policy: Policy
) -> tuple[InputSet, PreparedManifest | None]:
    if prepared:
        refuse(InvalidJob, "job control", _patterns_beside(prepared[0], policy))
        return shards.inputs_of(store, prepared)
    return _unprepared(store, request, policy), None


def _unprepared(store: ObjectStore, request: Mapping[str, Any], policy: Policy) -> InputSet:
    source = wire.at(request, INPUT_PATH)
    if wire.at(request, BY_NAME["s3_data_type"].path) == S3DataType.MANIFEST_FILE:
        return _named(store, address(source), policy)
    prefixes = [address(text) for text in (source if isinstance(source, list) else [source])]
    return select(prefixes, _found(_listed(store, prefixes)), include=policy.include, exclude=policy.exclude)


def _patterns_beside(prepared: PreparedInput, policy: Policy) -> Iterator[Problem]:
    """Find patterns that would keep rows out which a prepare task has counted."""
    for name, patterns in (("include", policy.include), ("exclude", policy.exclude)):
        if patterns:
            rule = f"chooses among objects, but {prepared.input} was prepared, and all of it is input"
            yield Problem(name, list(patterns), rule, "Leave it out, or choose in the prepare task.")


def heads(store: ObjectStore, request: Mapping[str, Any], inputs: InputSet) -> tuple[bytes, ...]:
    """Read the first bytes of some objects that hold lines, as they lie there; nothing of compressed ones."""
    lines = wire.at(request, BY_NAME["split_type"].path) == SplitType.LINE
    zipped = wire.at(request, BY_NAME["compression_type"].path) == CompressionType.GZIP
    if not lines or zipped:
        return ()
    return tuple(store.get_range(one.uri, 0, _HEAD) for one in inputs.chosen[:_HEADS])


def outputs_below(store: ObjectStore, output: S3Uri) -> dict[str, ObjectState]:
    """List an output prefix."""
    return {str(found.uri): state_of(found) for found in store.objects(output.as_folder())}


def _named(store: ObjectStore, uri: S3Uri, policy: Policy) -> InputSet:
    """Take the objects that a user's own manifest names."""
    manifest = manifests.read(store.get(uri))
    sources = list(dict.fromkeys(manifest.sources))
    found = {one.uri: one for one in _listed(store, sources)}
    absent = (source for source in sources if source not in found)
    refuse(InvalidJob, str(uri), (Problem("manifest", str(one), "does not exist", "Take it out.") for one in absent))
    named = _found(found[one] for one in sources)
    base = manifest.prefix.folder
    return replace(select(sources, named, policy.include, policy.exclude, base=base), exact=False)


def _listed(store: ObjectStore, prefixes: Sequence[S3Uri]) -> Iterator[StoredObject]:
    """Yield every object below any of the raw prefixes, once."""
    apart = _apart(prefixes)
    if len(apart) <= _FEW:
        for prefix in apart:
            yield from store.objects(prefix)
        return
    for one in store.objects(common_folder(apart)):
        # Of sorted prefixes that do not cover each other, only the last one before a key can cover it.
        place = bisect_right(apart, one.uri) - 1
        if place >= 0 and apart[place].covers(one.uri):
            yield one


def _apart(prefixes: Iterable[S3Uri]) -> list[S3Uri]:
    """Sort prefixes, without those that another covers."""
    apart = list[S3Uri]()
    for prefix in sorted(set(prefixes)):
        if not apart or not apart[-1].covers(prefix):
            apart.append(prefix)
    return apart


def _found(objects: Iterable[StoredObject]) -> Iterator[Found]:
    return (Found(uri=one.uri, size=one.size, etag=one.etag) for one in objects)


def _told(source: Any) -> str:
    return ", ".join(source) if isinstance(source, list) else str(source)
