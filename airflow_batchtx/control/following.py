"""What a task's log says while a job runs: how far it is, and what its containers print."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import BatchTransformError, LogsUnavailable
from airflow_batchtx.planning.forecast import Look, forecast
from airflow_batchtx.sagemaker.joblogs import Tail
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.intent import Intent
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)

# Seconds between two listings of the output prefix.
INTERVAL = 60.0
# A job of fewer objects is not worth a listing.
FEWEST = 20


@dataclass(slots=True)
class Follower:
    """Follows one job; for one thread at a time.

    `folder` is the attempt's control folder: its intent tells how many objects were sent, and since when outputs count.
    The output prefix is listed at most once in `INTERVAL` seconds, and not for small jobs. `tail` gives the lines of
    the job's logs, None for none.
    """

    services: Services
    job_name: str
    folder: S3Uri | None
    tail: Tail | None = None
    _stage: str = ""
    _target: _Target | None = None
    _next: float = 0.0
    _looks: list[Look] = field(default_factory=list)

    @classmethod
    def of(cls, services: Services, job_name: str, folder: S3Uri | None, *, logs: bool) -> Follower:
        """Follow a job, with the lines of its logs if asked for."""
        tail = services.logs.tail(job_name) if logs else None
        # A job that ends soon is not worth a listing either.
        return cls(services, job_name, folder, tail, _next=services.clock() + INTERVAL)

    def lines(self, seen: Described | None = None) -> Iterator[str]:
        """Yield what is new since the last call, and after a look at the job; never raises for what cannot be seen."""
        yield from self._printed()
        if seen is not None:
            yield from self._stage_told(seen)
        yield from self._progress()

    def _printed(self) -> Iterator[str]:
        if self.tail is None:
            return
        try:
            for line in self.tail.lines():
                yield f"[{line.stream.partition('/')[2]}] {line.text}"
        except LogsUnavailable as error:
            yield f"The job's logs cannot be shown: {error}"

    def _stage_told(self, seen: Described) -> Iterator[str]:
        """Tell provisioning and transform apart, when the one gives way to the other."""
        begun = seen.get("TransformStartTime")
        stage = "transforming" if begun else "provisioning"
        if stage != self._stage:
            took = f", after {(begun - seen['CreationTime']).total_seconds():.0f} s of provisioning" if begun else ""
            yield f"Transform job {self.job_name} is {stage}{took}"
        self._stage = stage

    def _progress(self) -> Iterator[str]:
        now = self.services.clock()
        if self.folder is None or now < self._next:
            return
        self._next = now + INTERVAL
        try:
            target = self._target or _Target.read(self.services, self.job_name, self.folder)
            done = target.done(self.services) if target.total >= FEWEST else 0
        except BatchTransformError as error:
            log.debug("progress cannot be told: %s", error)
            return
        self._target = target
        if done:
            yield f"Transform job {self.job_name}: {forecast(done, target.total, target.begun, now, self._looks)}"
            self._looks.append((now, done))


@dataclass(frozen=True, slots=True)
class _Target:
    """How many objects were sent, where their outputs come, and by S3's clock since when; `begun` is when we looked."""

    total: int
    output: S3Uri
    since: str
    begun: float

    @classmethod
    def read(cls, services: Services, job_name: str, folder: S3Uri) -> _Target:
        ledger = Ledger.of(services.store, folder)
        written, since = ledger.intent(job_name), ledger.announced(job_name)
        total = _sent(written.intent) if written else 0
        output = S3Uri.parse(written.intent.output) if written else folder
        return cls(total, output, since or "", services.clock())

    def done(self, services: Services) -> int:
        """Count what came since; who else writes below the prefix is counted too, since this is no proof."""
        objects = services.store.objects(self.output.as_folder())
        return sum(one.last_modified is not None and one.last_modified.isoformat() > self.since for one in objects)


def _sent(intent: Intent) -> int:
    return sum(one.done is None for one in intent.objects)
