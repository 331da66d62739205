"""A table that several tasks write, a share each: how the last of them makes it whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from airflow_batchtx.association.dead_letters import refuse_too_many
from airflow_batchtx.association.place import Place
from airflow_batchtx.association.publishing import JSON, listed
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import MalformedRecord, ObjectChanged, ObjectNotFound, TooManyDeadLetters
from airflow_batchtx.spec.associated import AssociatedManifest, Part
from airflow_batchtx.spec.share import Share
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

_NUMBER = re.compile(r"part-(\d+)\.[a-z]+")


@dataclass(frozen=True, slots=True)
class Shared:
    """One of several tasks writes its share. It says so in `_shares/`; who finds all shares said closes the table.

    All shares of the same work close it with the same bytes, so two that do it at once do no harm.
    """

    place: Place
    share: Share
    work: str

    def announce(self, store: ObjectStore) -> None:
        """Say which objects are this table's; all shares say the same."""
        self.place.announce(store)

    def begin(self, store: ObjectStore) -> None:
        """Take this share out of the table. Of one that is closed the other shares are said to be whole again.

        That is so for other work too, which may come back: kept columns that are just being prepared anew, for one.
        Where parts were dealt to another number of shares nobody's are whole any more.
        """
        request = self.place.request
        shares = {share: share_uri(request, share) for share in self.share.all()}
        for share, table in self._parted(_read(store, request.manifest)):
            if share != self.share:
                with suppress(ObjectChanged):
                    store.put(shares[share], table.to_json(), content_type=JSON, if_absent=True)
        others = [found.uri for found in store.objects(request.shares) if found.uri not in shares.values()]
        store.delete([shares[self.share], *others])
        self.place.open(store)

    def publish(self, store: ObjectStore, table: AssociatedManifest) -> None:
        """Say that this share is whole; close the table if it is the last one."""
        request = self.place.request
        own = share_uri(request, self.share)
        store.put(own, table.to_json(), content_type=JSON)
        told = list(self._told(store))
        if len(told) == self.share.of:
            self._close(store, merged(told))
        elif self._is_closed(store):
            store.delete([own])

    def give_up(self, store: ObjectStore, error: BaseException) -> None:
        """Leave nothing of this share, unless it is whole: if it could not be opened, or the table not be closed.

        So it is if it is only the dead letters of all shares that are too many.
        """
        if isinstance(error, TooManyDeadLetters) or self._is_closed(store):
            return
        self.place.open(store)
        store.delete([share_uri(self.place.request, self.share)])
        below = store.objects(self.place.request.output)
        store.delete([found.uri for found in below if self.place.owns(found.uri) and self._is_own(found.uri)])

    def _is_own(self, uri: S3Uri) -> bool:
        return _NUMBER.fullmatch(uri.name) is not None and owner_of(str(uri), self.share.of) == self.share

    def _close(self, store: ObjectStore, table: AssociatedManifest) -> None:
        request = self.place.request
        refuse_too_many(request, table)
        shares = frozenset(share_uri(request, share) for share in self.share.all())
        self.place.sweep(store, but=listed(table) | shares)
        store.put(request.manifest, table.to_json(), content_type=JSON)
        store.delete(sorted(shares))
        self.place.end(store)
        store.put(request.success, b"")

    def _told(self, store: ObjectStore) -> Iterable[AssociatedManifest]:
        """Yield the shares that are whole."""
        for share in self.share.all():
            table = _read(store, share_uri(self.place.request, share))
            if table is not None and table.work == self.work:
                yield table

    def _is_closed(self, store: ObjectStore) -> bool:
        """Tell whether the table is closed, and the same work."""
        table = _read(store, self.place.request.manifest)
        return table is not None and table.work == self.work

    def _parted(self, table: AssociatedManifest | None) -> Sequence[tuple[Share, AssociatedManifest]]:
        return [] if table is None else [(share, part_of(table, share)) for share in self.share.all()]


def _read(store: ObjectStore, uri: S3Uri) -> AssociatedManifest | None:
    try:
        return AssociatedManifest.read(store.get(uri))
    except (ObjectNotFound, MalformedRecord):
        return None


def share_uri(request: AssociateRequest, share: Share) -> S3Uri:
    """Address the object that says that a share is whole."""
    return request.shares / f"{share.number:05d}-of-{share.of:05d}.json"


def owner_of(uri: str, shares: int) -> Share:
    """Tell which of so many shares writes a part."""
    return Share(_number(uri) % shares + 1, shares)


def part_of(table: AssociatedManifest, share: Share) -> AssociatedManifest:
    """Give what a share wrote of a table."""
    return replace(
        table,
        parts=tuple(part for part in table.parts if owner_of(part.uri, share.of) == share),
        dead_letters=tuple(part for part in table.dead_letters if owner_of(part.uri, share.of) == share),
    )


def merged(tables: Sequence[AssociatedManifest]) -> AssociatedManifest:
    """Put the shares of a table together, as one task would have written it."""
    return replace(
        tables[0],
        parts=_ordered(part for table in tables for part in table.parts),
        dead_letters=_ordered(part for table in tables for part in table.dead_letters),
    )


def _ordered(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: _number(part.uri)))


def _number(uri: str) -> int:
    found = _NUMBER.fullmatch(uri.rpartition("/")[2])
    return int(found[1]) if found else 0
