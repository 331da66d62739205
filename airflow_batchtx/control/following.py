"""What a task's log says while a job runs: how far it is, and what its containers print."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

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

    Progress is counted from the output prefix, at most once in `INTERVAL` seconds and not for small jobs.
    """

    services: Services
    job_name: str
    total: int
    output: S3Uri | None
    tail: Tail | None
    _next: float = 0.0
    _stage: str = ""
    _looks: list[Look] = field(default_factory=list)

    @classmethod
    def of(cls, services: Services, job_name: str, intent: Intent | None, *, logs: bool) -> Follower:
        """Follow a job whose intent tells how many objects it was sent, with the lines of its logs if asked for."""
        return cls(
            services=services,
            job_name=job_name,
            total=sum(one.done is None for one in intent.objects) if intent else 0,
            output=S3Uri.parse(intent.output) if intent else None,
            tail=services.logs.tail(job_name) if logs else None,
        )

    def lines(self, seen: Described | None) -> Iterator[str]:
        """Yield what is new since the last call, after a look at the job; never raises for what cannot be seen."""
        yield from self._printed()
        if seen is not None:
            yield from self._stage_told(seen)
            yield from self._progress(seen)

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
        stage = "transforming" if "TransformStartTime" in seen else "provisioning"
        if stage != self._stage:
            since = (_moment(seen, "TransformStartTime") or self.services.clock()) - seen["CreationTime"].timestamp()
            took = f" after {since:.0f} s of provisioning" if stage == "transforming" else ""
            yield f"Transform job {self.job_name} is {stage}{took}"
        self._stage = stage

    def _progress(self, seen: Described) -> Iterator[str]:
        begun, now = _moment(seen, "TransformStartTime"), self.services.clock()
        if self.output is None or self.total < FEWEST or begun is None or now < self._next:
            return
        self._next = now + INTERVAL
        try:
            done = self._done(self.output, seen["TransformStartTime"])
        except BatchTransformError as error:
            log.debug("progress cannot be told: %s", error)
            return
        yield f"Transform job {self.job_name}: {forecast(done, self.total, begun, now, self._looks)}"
        self._looks.append((now, done))

    def _done(self, output: S3Uri, begun: datetime) -> int:
        """Count what was written since the job began. S3's clock and SageMaker's may differ: this is no proof."""
        objects = self.services.store.objects(output.as_folder())
        return sum(one.last_modified is not None and one.last_modified >= begun for one in objects)


def _moment(seen: Described, name: str) -> float | None:
    moment = seen.get(name)
    return moment.timestamp() if moment else None
