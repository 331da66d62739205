"""What lies in an S3, for pages: looked at by one page at a time, and for as long as its reader has patience."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice

from airflow_batchtx.errors import AccessDenied, BucketNotFound, ObjectNotFound, StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

# Objects of a prefix beyond these are not looked at.
MOST_LISTED = 40_000
# How long a listing is good for, and how long an S3 that did not answer is left alone, in seconds.
FRESH_SECONDS, REST_SECONDS = 2.0, 15.0
# A listing is good for so many times as long as it took, too: pages must not keep an S3 busy.
_REUSE = 4
_KEPT = 8


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects below a prefix and when they were written; `begun`, `good_until` and those times in epoch seconds."""

    begun: float
    good_until: float
    times: Mapping[S3Uri, float]


class Listings:
    """Lists prefixes, from any thread; `clock` gives epoch seconds."""

    def __init__(self, store: ObjectStore, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._found: OrderedDict[S3Uri, Listing] = OrderedDict()
        self._rests_until = -math.inf
        self._lock = threading.Lock()

    def below(self, prefix: S3Uri, seconds: float) -> Listing | None:
        """List a prefix; None where it may not be listed, or not in so many seconds and one more call of the S3."""
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
        begun, times = self._clock(), dict[S3Uri, float]()
        if begun < self._rests_until or begun > deadline:
            return None
        try:
            for found in islice(self._store.objects(prefix), MOST_LISTED):
                times[found.uri] = _epoch(found.last_modified)
                if self._clock() > deadline:
                    return None
        except (ObjectNotFound, BucketNotFound, AccessDenied):
            return None
        except StorageError:
            self._rests_until = self._clock() + REST_SECONDS
            return None
        ended = self._clock()
        listing = Listing(begun, ended + max(FRESH_SECONDS, _REUSE * (ended - begun)), times)
        self._found[prefix] = listing
        self._found.move_to_end(prefix)
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)
        return listing


def _epoch(time: datetime | None) -> float:
    return (time or datetime.fromtimestamp(0, timezone.utc)).timestamp()
