"""How far jobs are, as the outputs in their S3 show it: the instances that write them do so by themselves."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

from airflow_batchtx.engine import worklist
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.registry import Job
from airflow_batchtx.errors import AccessDenied, BucketNotFound, ObjectNotFound, StorageError
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

# Jobs of more objects are not looked through for a page.
MOST = 20_000
# How long what was found is good for, and how long an S3 that did not answer is left alone, in seconds.
FRESH_SECONDS, REST_SECONDS = 2.0, 15.0
_KEPT = 256


class Outputs:
    """Finds the outputs of jobs, from any thread; `clock` gives epoch seconds."""

    def __init__(self, store: ObjectStore, home: Path, clock: Callable[[], float]) -> None:
        self._store, self._home, self._clock = store, home, clock
        self._found: dict[str, tuple[float, frozenset[S3Uri] | None]] = {}
        self._rests_until = 0.0
        self._lock = threading.Lock()

    def done(self, job: Job, objects: int | None) -> int | None:
        """Count the outputs that a job of so many objects has; None where that is not known."""
        if job.status is JobStatus.COMPLETED:
            return objects
        found = self.written(job, objects)
        return None if found is None else len(found)

    def written(self, job: Job, objects: int | None) -> frozenset[S3Uri] | None:
        """Give the outputs that a job has; None where that is not known."""
        if objects is None or objects > MOST:
            return None
        if job.started is None:
            return frozenset()
        with self._lock:
            now = self._clock()
            known_until, known = self._found.get(job.arn, (0.0, None))
            if now < max(known_until, self._rests_until):
                return known
        found = self._look(job)
        with self._lock:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[job.arn] = (self._clock() + FRESH_SECONDS, found)
        return found

    def _look(self, job: Job) -> frozenset[S3Uri] | None:
        targets = {each.target for each in worklist.read(JobFolder.of(self._home, job).objects)}
        prefix = address(job.request["TransformOutput"]["S3OutputPath"]).as_folder()
        # S3 tells times to the second. What is older, or newer than the job, is another job's.
        first, last = math.floor(job.started or 0), math.inf if job.ended is None else job.ended + 1
        try:
            listed = list(islice(self._store.objects(prefix), 2 * MOST))
        except (ObjectNotFound, BucketNotFound, AccessDenied):
            return None
        except StorageError:
            with self._lock:
                self._rests_until = self._clock() + REST_SECONDS
            return None
        return frozenset(
            each.uri for each in listed if each.uri in targets and first <= _epoch(each.last_modified) <= last
        )


def _epoch(time: datetime | None) -> float:
    return (time or datetime.fromtimestamp(0, timezone.utc)).timestamp()
