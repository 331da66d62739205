"""What a task's log says while a job runs: how far it is, and what its containers print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_batchtx.control.counting import Counting
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import LogsUnavailable
from airflow_batchtx.sagemaker.joblogs import Tail
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.uri import S3Uri

# Seconds between two listings of the output prefix: a job that ends soon is not worth one.
INTERVAL = 60.0
# Nor is a job of fewer objects.
FEWEST = 20


@dataclass(slots=True)
class Follower:
    """Follows one job; for one thread at a time.

    `counting` tells how far it is, `tail` gives the lines of its logs; None for either tells nothing of it.
    """

    services: Services
    job_name: str
    counting: Counting | None = None
    tail: Tail | None = None
    _stage: str = ""

    @classmethod
    def of(cls, services: Services, job_name: str, folder: S3Uri | None, *, logs: bool) -> Follower:
        """Follow a job whose control folder is known, or None, with the lines of its logs if asked for."""
        counting = Counting(services, job_name, folder, INTERVAL, FEWEST) if folder else None
        return cls(services, job_name, counting, services.logs.tail(job_name) if logs else None)

    def lines(self, seen: Described | None = None) -> Iterator[str]:
        """Yield what is new since the last call, and after a look at the job; never raises for what cannot be seen."""
        yield from self._printed()
        if seen is not None:
            yield from self._stage_told(seen)
        if self.counting and (how_far := self.counting.progress()):
            yield f"Transform job {self.job_name}: {how_far}"

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
