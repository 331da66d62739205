"""A SageMaker client in memory whose jobs live by a clock, with the limits of an account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_batchtx.sagemaker.jobs import TransformJobs
from tests.fake_sagemaker import refusal


@dataclass(slots=True)
class Job:
    """A job; times are seconds since the epoch."""

    name: str
    created: float
    ends: float
    end: str
    stopped: bool = False

    def status(self, now: float) -> str:
        return "Stopped" if self.stopped else "InProgress" if now < self.ends else self.end

    def summary(self, now: float) -> dict[str, Any]:
        told = {
            "TransformJobName": self.name,
            "TransformJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:transform-job/{self.name}",
            "CreationTime": datetime.fromtimestamp(self.created, timezone.utc),
            "TransformJobStatus": self.status(now),
        }
        return told | ({"FailureReason": "ClientError: See job logs"} if self.status(now) == "Failed" else {})


class Account:
    """Describes, lists and stops jobs. `rate` is how many calls a second it takes, as many at once as in `burst`
    seconds; `denied` names operations that are refused, `trouble` makes a call raise what it gives for it."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        rate: float | None = None,
        burst: float = 1.0,
        denied: tuple[str, ...] = (),
        trouble: Callable[[str], Exception | None] = lambda _: None,
    ) -> None:
        self.clock, self.rate, self.denied, self.trouble = clock, rate, denied, trouble
        self.known: dict[str, Job] = {}
        self.calls: list[tuple[float, str, str]] = []
        self.throttled = 0
        self._capacity = self._tokens = max((rate or 0) * burst, 1.0)
        self._refilled = clock()

    def add(self, name: str, *, age: float = 0.0, lasts: float = float("inf"), end: str = "Completed") -> str:
        """Let a job exist that was created so long ago, and ends so many seconds from now."""
        now = self.clock()
        self.known[name] = Job(name, now - age, now + lasts, end)
        return name

    @property
    def jobs(self) -> TransformJobs:
        """Its jobs, as a hook gives them."""
        return TransformJobs(self)  # type: ignore[arg-type]

    def made(self, operation: str) -> list[tuple[float, str]]:
        """The calls of an operation: when, and for what."""
        return [(time, name) for time, made, name in self.calls if made == operation]

    def describe_transform_job(self, **request: Any) -> dict[str, Any]:
        self._called("DescribeTransformJob", request["TransformJobName"])
        if (job := self.known.get(request["TransformJobName"])) is None:
            raise refusal("DescribeTransformJob", "ValidationException", "Could not find requested job")
        return job.summary(self.clock())

    def list_transform_jobs(self, **request: Any) -> dict[str, Any]:
        self._called("ListTransformJobs", "")
        start, end, now = int(request.get("NextToken", 0)), request["MaxResults"], self.clock()
        after = request.get("CreationTimeAfter")
        jobs = sorted(self.known.values(), key=lambda job: job.created, reverse=True)
        known = [job for job in jobs if after is None or job.created > after.timestamp()]
        more = {"NextToken": str(start + end)} if start + end < len(known) else {}
        return {"TransformJobSummaries": [job.summary(now) for job in known[start : start + end]], **more}

    def stop_transform_job(self, **request: Any) -> dict[str, Any]:
        self._called("StopTransformJob", request["TransformJobName"])
        job = self.known[request["TransformJobName"]]
        if job.status(self.clock()) != "InProgress":
            raise refusal("StopTransformJob", "ValidationException", "The job is not in progress")
        job.stopped = True
        return {}

    def _called(self, operation: str, name: str) -> None:
        self.calls.append((self.clock(), operation, name))
        if not self._takes():
            self.throttled += 1
            raise refusal(operation, "ThrottlingException", "Rate exceeded")
        if operation in self.denied:
            raise refusal(operation, "AccessDeniedException", "not authorized", 403)
        if (error := self.trouble(operation)) is not None:
            raise error

    def _takes(self) -> bool:
        if self.rate is None:
            return True
        now = self.clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._refilled) * self.rate)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def most_in(times: list[float], seconds: float) -> int:
    """The most calls in any window of so many seconds."""
    return max((sum(1 for time in times if begin <= time < begin + seconds) for begin in times), default=0)
