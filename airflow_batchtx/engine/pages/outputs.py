"""How far jobs are, as the outputs in their S3 show it: the instances that write them do so by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

from airflow_batchtx.engine import worklist
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.pages.listings import Listings
from airflow_batchtx.engine.registry import Job
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

# Jobs of more objects are not looked through for a page.
MOST = 20_000
# How long a list of jobs, and the page of one, may wait for the S3, in seconds.
LIST_SECONDS, PAGE_SECONDS = 1.0, 30.0
_KEPT = 10_000


class Outputs:
    """Finds the outputs of jobs, from any thread; `clock` gives epoch seconds."""

    def __init__(self, store: ObjectStore, home: Path, clock: Callable[[], float]) -> None:
        self._listings, self._home, self._clock = Listings(store, clock), home, clock
        # Of jobs that have ended: nothing that comes later is theirs.
        self._counts: dict[str, int] = {}

    def counts(self, jobs: Iterable[tuple[Job, int | None]]) -> list[int | None]:
        """Count the outputs of jobs of so many objects, in a second at most for all; None where that is not known."""
        deadline = self._clock() + LIST_SECONDS
        return [self.done(job, objects, deadline - self._clock()) for job, objects in jobs]

    def done(self, job: Job, objects: int | None, seconds: float = PAGE_SECONDS) -> int | None:
        """Count the outputs that a job of so many objects has; None where that is not known in so many seconds."""
        if job.status is JobStatus.COMPLETED:
            return objects
        if (counted := self._counts.get(job.arn)) is not None:
            return counted
        found = self.written(job, objects, seconds)
        return None if found is None else len(found)

    def written(self, job: Job, objects: int | None, seconds: float = PAGE_SECONDS) -> frozenset[S3Uri] | None:
        """Give the outputs that a job has; None where that is not known in so many seconds."""
        if objects is None or objects > MOST:
            return None
        if job.started is None:
            return frozenset()
        prefix = address(job.request["TransformOutput"]["S3OutputPath"]).as_folder()
        if seconds <= 0 or (listing := self._listings.below(prefix, seconds)) is None:
            return None
        # S3 tells times to the second. What is older, or newer than the job, is another job's.
        first, last = math.floor(job.started), math.inf if job.ended is None else job.ended + 1
        targets = (each.target for each in worklist.read(JobFolder.of(self._home, job).objects))
        found = frozenset(uri for uri in targets if first <= listing.times.get(uri, -math.inf) <= last)
        if listing.begun > last:
            self._keep(job, len(found))
        return found

    def _keep(self, job: Job, count: int) -> None:
        if len(self._counts) >= _KEPT:
            self._counts.clear()
        self._counts[job.arn] = count
