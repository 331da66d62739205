"""What the page of a job shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_batchtx.engine import worklist
from airflow_batchtx.engine.containers import containers
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.jobs import described
from airflow_batchtx.engine.pages.logtexts import Log, failures, found_in
from airflow_batchtx.engine.pages.outputs import MOST, Outputs
from airflow_batchtx.engine.pages.overview import job_url, share
from airflow_batchtx.engine.registry import Job
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import is_final
from airflow_batchtx.spec.uri import S3Uri

OBJECTS_PER_PAGE = 100
# How many objects are shown with the reason why they failed.
MOST_FAILURES = 50
# How many logs are shown by their last lines, and by how many.
MOST_TAILS, LOG_LINES = 12, 20
HIDDEN = "hidden"
# What the page shows elsewhere.
_ELSEWHERE = frozenset({
    "TransformJobName", "TransformJobArn", "TransformJobStatus", "FailureReason", "CreationTime", "TransformStartTime",
    "TransformEndTime",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a job's life and how many seconds it took; `part` is its percentage of the whole."""

    name: str
    seconds: float
    part: float


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An input object, its output, and what became of it."""

    source: S3Uri
    target: S3Uri
    state: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that failed, and what the data log says of it."""

    source: str
    lines: list[str]


@dataclass(frozen=True)
class JobView:
    """One job, as its page shows it; `now` in epoch seconds, `page` is the number of the page of objects, from 1."""

    job: Job
    objects: int | None
    tags: Mapping[str, str]
    folder: JobFolder
    outputs: Outputs
    now: float
    page: int

    @property
    def url(self) -> str:
        """Where this page is."""
        return job_url(self.job)

    @property
    def runs(self) -> bool:
        """Tell whether the job has not ended."""
        return not is_final(self.job.status)

    @property
    def phases(self) -> list[Phase]:
        """Give the parts of the job's life so far."""
        job = self.job
        ended = self.now if job.ended is None else job.ended
        parts = {"Provisioning": (job.started or ended) - job.created}
        if job.started is not None:
            parts["Transform"] = ended - job.started
        whole = sum(parts.values()) or 1.0
        return [Phase(name, seconds, 100 * seconds / whole) for name, seconds in parts.items()]

    # -------------------------------------------------------------------------------------------------- request

    @property
    def request(self) -> list[tuple[str, str]]:
        """Give the request's members by their paths, as DescribeTransformJob shows them."""
        shown = {name: value for name, value in described(self.job).items() if name not in _ELSEWHERE}
        return list(_members(shown))

    @property
    def containers(self) -> list[list[tuple[str, str]]]:
        """Give the members of each container of the model."""
        return [list(_members(container)) for container in containers(self.job.model)]

    # -------------------------------------------------------------------------------------------------- objects

    @cached_property
    def written(self) -> frozenset[S3Uri] | None:
        """The outputs that are there; None where that is not known."""
        return self.outputs.written(self.job, self.objects)

    @property
    def done(self) -> int | None:
        """How many objects have their output; None where that is not known."""
        if self.job.status is JobStatus.COMPLETED:
            return self.objects
        return None if self.written is None else len(self.written)

    @property
    def share(self) -> int | None:
        """How many percent of the objects are done."""
        return share(self.done, self.objects)

    @property
    def pages(self) -> int:
        """How many pages the objects fill; at least one."""
        return max(1, -(-(self.objects or 0) // OBJECTS_PER_PAGE))

    @property
    def first(self) -> int:
        """The number of the first object that is shown, from 1."""
        return (self.page - 1) * OBJECTS_PER_PAGE + 1

    def objects_url(self, number: int) -> str:
        """Name the page of objects of another number."""
        return f"{self.url}?objects={number}#objects"

    @property
    def object_rows(self) -> list[ObjectRow]:
        """Give one page of objects."""
        shown = worklist.read(self.folder.objects, self.first - 1, OBJECTS_PER_PAGE)
        return [ObjectRow(each.source, each.target, self._state(each)) for each in shown]

    @cached_property
    def reasons(self) -> dict[str, list[str]]:
        """Say why objects failed, by bucket/key."""
        return failures(self.logs, self._names)

    @property
    def failures(self) -> list[Failure]:
        """Give the first objects that failed."""
        return [Failure(f"s3://{name}", lines) for name, lines in list(self.reasons.items())[:MOST_FAILURES]]

    @property
    def _names(self) -> frozenset[str] | None:
        if self.objects is None:
            return frozenset()
        if self.objects > MOST:
            return None
        return frozenset(_name(each) for each in worklist.read(self.folder.objects))

    def _state(self, transfer: Transfer) -> str:
        if self.job.status is JobStatus.COMPLETED:
            return "Done"
        if _name(transfer) in self.reasons:
            return "Failed"
        if self.written is None:
            return "Not known"
        if transfer.target in self.written:
            return "Done"
        return "Waiting" if self.runs else "No output"

    # ----------------------------------------------------------------------------------------------------- logs

    @cached_property
    def logs(self) -> list[Log]:
        """The job's logs."""
        return found_in(self.folder.logs)


def _name(transfer: Transfer) -> str:
    return f"{transfer.source.bucket}/{transfer.source.key}"


def _members(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Give what is in a structure by its path; values of an Environment stay hidden."""
    for name, member in value.items():
        below = f"{path}{name}"
        if name == "Environment":
            yield from ((f"{below}.{variable}", HIDDEN) for variable in member)
        elif isinstance(member, Mapping):
            yield from _members(member, f"{below}.")
        else:
            yield below, str(member).lower() if isinstance(member, bool) else str(member)
