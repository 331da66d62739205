"""What lies in an S3, for pages: looked at by one page at a time, and for as long as its reader has patience."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from typing import TypeVar

from airflow_batchtx.errors import AccessDenied, BucketNotFound, ObjectNotFound, StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject

# Objects of a prefix beyond these are not looked at.
MOST_LISTED = 40_000
# How long a listing is good for, and how long an S3 that did not answer is left alone, in seconds.
FRESH_SECONDS, REST_SECONDS = 2.0, 15.0
# A listing is good for so many times as long as it took, too: pages must not keep an S3 busy.
_REUSE = 4
# For how long a listing that a reader had no patience for may be gone on with, in seconds.
_RESUMED_SECONDS = 60.0
_KEPT = 8
_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects below a prefix and when they were written; `begun`, `good_until` and those times in epoch seconds."""

    begun: float
    good_until: float
    times: Mapping[S3Uri, float]


@dataclass
class _Look:
    """A listing under way: what is left of it, what was found, and the seconds that it has taken."""

    begun: float
    left: Iterator[StoredObject]
    times: dict[S3Uri, float] = field(default_factory=dict)
    seconds: float = 0.0


class Listings:
    """Lists prefixes, from any thread; `clock` gives epoch seconds."""

    def __init__(self, store: ObjectStore, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._found: OrderedDict[S3Uri, Listing] = OrderedDict()
        self._unfinished: OrderedDict[S3Uri, _Look] = OrderedDict()
        self._rests_until = -math.inf
        self._lock = threading.Lock()

    def below(self, prefix: S3Uri, seconds: float) -> Listing | None:
        """List a prefix; None where it may not be listed, or not in so many seconds and one more call of the S3.

        Who asks again goes on from there.
        """
        deadline = self._clock() + seconds
        if not self._lock.acquire(timeout=max(0.0, seconds)):
            return None
        try:
            return self._good(prefix) or self._listed(prefix, deadline)
        finally:
            self._lock.release()

    def _good(self, prefix: S3Uri) -> Listing | None:
        found = self._found.get(prefix)
        return found if found is not None and self._clock() < found.good_until else None

    def _listed(self, prefix: S3Uri, deadline: float) -> Listing | None:
        now = self._clock()
        if now < self._rests_until or now > deadline:
            return None
        look = self._look(prefix, now)
        try:
            whole = self._went_on(look, deadline)
        except (ObjectNotFound, BucketNotFound, AccessDenied):
            return None
        except StorageError:
            self._rests_until = self._clock() + REST_SECONDS
            return None
        ended = self._clock()
        look.seconds += ended - now
        if not whole:
            _keep(self._unfinished, prefix, look)
            return None
        listing = Listing(look.begun, ended + max(FRESH_SECONDS, _REUSE * look.seconds), look.times)
        _keep(self._found, prefix, listing)
        return listing

    def _look(self, prefix: S3Uri, now: float) -> _Look:
        begun = self._unfinished.pop(prefix, None)
        if begun is not None and now - begun.begun <= _RESUMED_SECONDS:
            return begun
        return _Look(now, islice(self._store.objects(prefix), MOST_LISTED))

    def _went_on(self, look: _Look, deadline: float) -> bool:
        """Go on with a listing; False where the time is up before its end."""
        for found in look.left:
            look.times[found.uri] = _epoch(found.last_modified)
            if self._clock() > deadline:
                return False
        return True


def _keep(kept: OrderedDict[S3Uri, _Kept], prefix: S3Uri, value: _Kept) -> None:
    kept[prefix] = value
    kept.move_to_end(prefix)
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _epoch(time: datetime | None) -> float:
    return (time or datetime.fromtimestamp(0, timezone.utc)).timestamp()
