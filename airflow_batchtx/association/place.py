"""The prefix that a table goes to: apart from what it is made of, and what in it is ours to replace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from airflow_batchtx.association.request import AssociateRequest, inside_each_other, reads_manifest
from airflow_batchtx.errors import InvalidInput, MalformedRecord, Problem, refuse
from airflow_batchtx.spec.associated import PartsAhead, listed_parts
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.record import Record
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

# How many objects in the way are named.
MOST = 10
_PART = re.compile(r"part-\d{5,}\.(parquet|csv)")
_REMEDY = "Move or delete it if nobody needs it, or choose a prefix that belongs to this task."


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix whose parts are all of an associate task. `parts` are those that it had and those that it gets."""

    request: AssociateRequest
    parts: frozenset[S3Uri]

    def announce(self, store: ObjectStore) -> None:
        """Say which parts are ours, before anything is touched."""
        ahead = PartsAhead(job_name=self.request.result.job_name, parts=tuple(sorted(map(str, self.parts))))
        store.put(self.request.ahead, ahead.to_json(), content_type="application/json")

    def empty(self, store: ObjectStore) -> None:
        """Take away what an earlier run left, its `_SUCCESS` first."""
        store.delete([self.request.success])
        store.delete([self.request.manifest])
        store.delete([found.uri for found in store.objects(self.request.output) if found.uri in self.parts])

    def end(self, store: ObjectStore) -> None:
        """Take back what was said ahead: the manifest, which is there by now, says it."""
        store.delete([self.request.ahead])

    def leave(self, store: ObjectStore) -> None:
        """Take away everything that is ours; while anything is left, it is known for ours."""
        self.empty(store)
        self.end(store)


def claimed(store: ObjectStore, request: AssociateRequest, planned: frozenset[S3Uri]) -> Place:
    """Prove that everything that would be replaced is ours; InvalidInput names what stands in the way."""
    ours = {request.manifest, request.ahead, request.success}
    below = (found.uri for found in store.objects(request.output))
    standing = [uri for uri in below if uri in ours or _is_part(request, uri)]
    lists = [_listed(store, uri) for uri in (request.manifest, request.ahead) if uri in standing]
    # Addresses elsewhere prove nothing: a copied manifest lists its original's parts.
    parts = frozenset(uri for listed in lists for uri in listed or () if _is_part(request, uri))
    known = parts | (ours if lists and None not in lists else frozenset())
    strangers = (uri for uri in standing if uri not in known)
    problems = [Problem("output", str(uri), "is there, and no associate task wrote it", _REMEDY) for uri in strangers]
    refuse(InvalidInput, "associate", problems[:MOST])
    return Place(request, parts | planned)


def _listed(store: ObjectStore, uri: S3Uri) -> frozenset[S3Uri] | None:
    """Read the parts that an earlier run says it wrote, None where this is no word of ours."""
    try:
        return frozenset(map(S3Uri.parse, listed_parts(store.get(uri))))
    except (MalformedRecord, ValueError):
        return None


def _is_part(request: AssociateRequest, uri: S3Uri) -> bool:
    folder = request.output
    return folder.covers(uri) and _PART.fullmatch(uri.key[len(folder.key) :]) is not None


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
