"""How a table becomes one that can be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from airflow_batchtx.association.dead_letters import refuse_too_many
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.place import Place
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import TooManyDeadLetters
from airflow_batchtx.spec.associated import AssociatedManifest
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

JSON = "application/json"
# What says nothing of the bytes of a table.
_ASIDE = frozenset({"result", "output", "processes", "share", "max_dead"})


def digest_of(store: ObjectStore, request: AssociateRequest, paired: Sequence[Pair]) -> str:
    """Give a digest of what decides a table's bytes: what is asked for, and which objects are read, as they are now."""
    asked = {field.name: getattr(request, field.name) for field in fields(request) if field.name not in _ASIDE}
    # Kept columns may be others though the model was sent, and has answered, the same.
    folders = sorted({pair.kept.folder for pair in paired if pair.kept}, key=str)
    kept: dict[S3Uri | None, str] = {one.uri: one.etag for folder in folders for one in store.objects(folder)}
    read = [
        (pair.source, pair.rows, pair.kept, pair.kept_row, kept.get(pair.kept), pair.answers.uri, pair.answers.etag)
        for pair in paired
    ]
    return hashlib.sha256(json.dumps([request.result.job_name, asked, read], default=str).encode()).hexdigest()


class Publication(Protocol):
    """The steps of one task at a table."""

    def announce(self, store: ObjectStore) -> None:
        """Say which objects are this table's, before anything is touched."""
        ...

    def begin(self, store: ObjectStore) -> None:
        """Say that the table is not whole, and take away what the task will write anew."""
        ...

    def publish(self, store: ObjectStore, table: AssociatedManifest) -> None:
        """Make what the task wrote part of a table that is whole; TooManyDeadLetters where it may not be."""
        ...

    def give_up(self, store: ObjectStore, error: BaseException) -> None:
        """Take away what the task wrote."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """One task writes the whole table."""

    place: Place

    def announce(self, store: ObjectStore) -> None:
        """Say which objects are this table's."""
        self.place.announce(store)

    def begin(self, store: ObjectStore) -> None:
        """Take away what an earlier run left, its `_SUCCESS` first."""
        self.place.open(store)
        self.place.sweep(store)

    def publish(self, store: ObjectStore, table: AssociatedManifest) -> None:
        """Write the manifest, and `_SUCCESS` last."""
        request = self.place.request
        refuse_too_many(request, table)
        # Rows may have been written before their columns needed wider types, below other folders.
        self.place.sweep(store, but=listed(table))
        store.put(request.manifest, table.to_json(), content_type=JSON)
        self.place.end(store)
        store.put(request.success, b"")

    def give_up(self, store: ObjectStore, error: BaseException) -> None:
        """Leave nothing; but dead letters, where it is their number that is wrong."""
        self.place.leave(store, but=self.place.dead if isinstance(error, TooManyDeadLetters) else frozenset())


def listed(table: AssociatedManifest) -> frozenset[S3Uri]:
    """Give the addresses of all parts and dead letters."""
    return frozenset(S3Uri.parse(part.uri) for part in (*table.parts, *table.dead_letters))
