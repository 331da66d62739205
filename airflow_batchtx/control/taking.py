"""Which run has what a queue told of: everything once, though it is told more than once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from airflow_batchtx.errors import ObjectChanged, ObjectNotFound
from airflow_batchtx.spec.manifest import as_json
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

Event = Mapping[str, Any]
# What a piece of work has taken, or as long as that is not decided, what it was told of.
Known = Mapping[str, list[Event]]

# Where claims of events lie, and what a piece of work was told of, and has taken.
EVENTS, WORK, TOLD = "events", "work", "told"
_JSON = "application/json"
_TOGETHER = 8  # claims that are put at once


@dataclass(frozen=True, slots=True)
class Claims:
    """A folder of S3 in which each event belongs to the first who claims it, by a conditional put."""

    store: ObjectStore
    prefix: S3Uri

    def taken(self, owner: Identity, told: Callable[[], Iterable[Event]]) -> list[Event]:
        """Give the events that are this work's, in the order in which they were told of.

        Those are all that nobody else has claimed, of what its first try was told of. Once that was decided it is the
        same for ever: another try of the work gets what the first one got, whatever was told of meanwhile.
        """
        record = self.prefix / WORK / f"{owner.digest}.json"
        known = self._known(record) or self._noted(record, owner, told())
        if EVENTS in known:
            return known[EVENTS]
        events = known[TOLD]
        with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="batchtx-claims") as pool:
            won = pool.map(lambda one: self._claim(owner, one), events)
            mine = [event for event, is_ours in zip(events, won, strict=True) if is_ours]
        # A twin of this try writes the same.
        self.store.put(record, as_json({**asdict(owner), EVENTS: mine}), content_type=_JSON)
        return mine

    def _noted(self, record: S3Uri, owner: Identity, told: Iterable[Event]) -> Known:
        """Write down what there is to claim, before any of it is: a claim that no record names would be nobody's."""
        events = list({event["id"]: event for event in told}.values())
        if not events:
            return {EVENTS: []}
        try:
            self.store.put(record, as_json({**asdict(owner), TOLD: events}), content_type=_JSON, if_absent=True)
        except ObjectChanged:
            # A twin of this try was quicker, or this very call was made twice.
            if (known := self._known(record)) is None:
                raise
            return known
        return {TOLD: events}

    def _known(self, record: S3Uri) -> Known | None:
        try:
            known: Known = json.loads(self.store.get(record))
        except ObjectNotFound:
            return None
        return known

    def _claim(self, owner: Identity, event: Event) -> bool:
        name = hashlib.sha256(str(event["id"]).encode()).hexdigest()[:32]
        claim = self.prefix / EVENTS / f"{name}.json"
        body = as_json({**asdict(owner), "digest": owner.digest, "event": dict(event)})
        try:
            self.store.put(claim, body, content_type=_JSON, if_absent=True)
        except ObjectChanged:
            return bool(json.loads(self.store.get(claim))["digest"] == owner.digest)
        return True
