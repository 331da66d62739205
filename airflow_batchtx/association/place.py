"""The prefix that a table goes to: apart from what it is made of, and what in it is ours to replace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from airflow_batchtx.association.partitions import folder_pattern
from airflow_batchtx.association.request import AssociateRequest, inside_each_other, reads_manifest
from airflow_batchtx.errors import InvalidInput, MalformedRecord, ObjectNotFound, Problem, refuse
from airflow_batchtx.spec.associated import PartsAhead
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.record import Record
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.stats import stats

# How many objects in the way are named.
MOST = 10
_PART = r"part-\d{5,}\.(parquet|csv|jsonl)"
# What associate tasks write, by its path below the table's prefix; folders of partitions may stand before a part.
_OURS = re.compile(rf"(?:[^/=]+=[^/]*/)*{_PART}|_dead_letters/part-\d{{5,}}\.parquet|_shares/\d{{5}}-of-\d{{5}}\.json")
_REMEDY = "Move or delete it if nobody needs it, or choose a prefix that belongs to this task."


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix whose parts are all of an associate task.

    `parts` are those that it had and those that it gets. Below folders of the columns of a member of `partitions` all
    parts are ours: how many there will be, and where, is not known before.
    """

    request: AssociateRequest
    parts: frozenset[S3Uri]
    partitions: frozenset[tuple[str, ...]] = frozenset()

    @property
    def dead(self) -> frozenset[S3Uri]:
        """The dead letters among the parts."""
        return frozenset(uri for uri in self.parts if self.request.dead_letters.covers(uri))

    def announce(self, store: ObjectStore) -> None:
        """Say which parts are ours, before anything is touched."""
        self._say(store, self.parts)

    def owns(self, uri: S3Uri) -> bool:
        """Tell whether an object is one of our parts."""
        return uri in self.parts or any(_is_parted(self.request, uri, by) for by in self.partitions)

    def open(self, store: ObjectStore) -> None:
        """Say that the table is not whole."""
        store.delete([self.request.success])
        store.delete([self.request.manifest])

    def sweep(self, store: ObjectStore, *, but: frozenset[S3Uri] = frozenset()) -> None:
        """Take away all parts but these."""
        below = store.objects(self.request.output)
        store.delete([found.uri for found in below if self.owns(found.uri) and found.uri not in but])

    def end(self, store: ObjectStore) -> None:
        """Take back what was said ahead: the manifest, which is there by now, says it."""
        store.delete([self.request.ahead])

    def leave(self, store: ObjectStore, *, but: frozenset[S3Uri] = frozenset()) -> None:
        """Take away everything that is ours but these; while anything is left, it is known for ours."""
        self.open(store)
        self.sweep(store, but=but)
        if but:
            self._say(store, but)
        else:
            self.end(store)

    def _say(self, store: ObjectStore, parts: frozenset[S3Uri]) -> None:
        ahead = PartsAhead(
            job_name=self.request.result.job_name,
            parts=tuple(sorted(map(str, parts))),
            partitions=tuple(sorted(self.partitions)),
        )
        store.put(self.request.ahead, ahead.to_json(), content_type="application/json")


def claimed(store: ObjectStore, request: AssociateRequest, planned: frozenset[S3Uri]) -> Place:
    """Prove that everything that would be replaced is ours; InvalidInput names what stands in the way."""
    ours = {request.manifest, request.ahead, request.success}
    # Whoever reads the table would read parts in any folders, those of tables that have a folder each too.
    standing = [
        found.uri for found in store.objects(request.output) if found.uri in ours or _is_ours(request, found.uri)
    ]
    lists = list(_lists(store, request, frozenset(standing)))
    told = [one for one in lists if one is not None]
    # Addresses elsewhere prove nothing: a copied manifest lists its original's parts.
    parts = frozenset(uri for one in told for uri in map(S3Uri.parse, one.parts) if _is_ours(request, uri))
    place = Place(request, parts, frozenset(by for one in told for by in one.partitions))
    known = ours if lists and None not in lists else frozenset()
    strangers = (uri for uri in standing if uri not in known and not place.owns(uri))
    problems = [
        Problem("output", str(uri), "is there, and no associate task wrote it for this table", _REMEDY)
        for uri in strangers
    ]
    refuse(InvalidInput, "associate", problems[:MOST])
    parted = {request.partition_by} if request.partition_by else set()
    return Place(request, place.parts | planned, place.partitions | parted)


def _lists(store: ObjectStore, request: AssociateRequest, standing: frozenset[S3Uri]) -> Iterator[PartsAhead | None]:
    """Yield what earlier runs say that they wrote, None for what is no word of ours."""
    # Another share may open or close the table meanwhile: it puts the one object before it takes away the other.
    for uri in (request.manifest, request.ahead, request.manifest):
        if uri in standing or request.share:
            with suppress(ObjectNotFound):
                yield _listed(store, uri)


def _listed(store: ObjectStore, uri: S3Uri) -> PartsAhead | None:
    try:
        told = PartsAhead.read(store.get(uri))
        return told if all(map(S3Uri.parse, told.parts)) else None
    except (MalformedRecord, ValueError):
        return None


def _is_ours(request: AssociateRequest, uri: S3Uri) -> bool:
    return request.output.covers(uri) and _OURS.fullmatch(_path(request, uri)) is not None


def _is_parted(request: AssociateRequest, uri: S3Uri, by: tuple[str, ...]) -> bool:
    path = _path(request, uri)
    found = folder_pattern(by).match(path) if request.output.covers(uri) else None
    return found is not None and re.fullmatch(_PART, path[found.end() :]) is not None


def _path(request: AssociateRequest, uri: S3Uri) -> str:
    return uri.key[len(request.output.key) :]


def refuse_wholes(store: ObjectStore, request: AssociateRequest, folders: Iterable[str]) -> None:
    """Refuse tables of folders below one of them all: who reads that reads theirs too."""
    steps = [[f"{step}/" for step in folder.split("/")[:-1]] for folder in folders]
    above = sorted({request.output / "".join(one[:depth]) for one in steps for depth in range(len(one))})
    manifests = [replace(request, output=prefix).manifest for prefix in above]
    rule = "is there: the table that it lists would have the rows of folders below it as well"
    whole = (found.uri for found in stats(store, manifests) if found)
    refuse(InvalidInput, "associate", islice((Problem("output", str(uri), rule, _REMEDY) for uri in whole), MOST))


def refuse_overlaps(request: AssociateRequest, prepared: PreparedManifest | None, record: Record | None) -> None:
    """Refuse to write a table into, or around, what it was made of; InvalidInput names all of it."""
    if prepared is not None:
        refuse(InvalidInput, "associate", _with_prepared(request, prepared))
    elif record is not None and reads_manifest(request.result):
        refuse(InvalidInput, "associate", _with_inputs(request, record))


def _with_inputs(request: AssociateRequest, record: Record) -> Iterator[Problem]:
    """Go by the folders of the objects, but for a whole bucket: an object in it does not say that all are read."""
    folders = {folder for one in record.objects if (folder := S3Uri.parse(one.input).folder).key}
    yield from islice(inside_each_other(request.output, sorted(folders), "what the job read in"), MOST)


def _with_prepared(request: AssociateRequest, prepared: PreparedManifest) -> Iterator[Problem]:
    manifest = S3Uri.parse(request.result.prepared or "")
    beside = {S3Uri.parse(shard.kept).folder for shard in prepared.shards if shard.kept}
    folders = {S3Uri.parse(shard.uri).folder for shard in prepared.shards} | beside
    sources = [S3Uri.parse(source.uri) for source in prepared.source if request.output.covers(S3Uri.parse(source.uri))]
    yield from inside_each_other(request.output, sorted(folders), "what prepare wrote")
    yield from inside_each_other(request.output, [manifest], "what prepare wrote")
    yield from inside_each_other(request.output, sources[:MOST], "what prepare reads")
