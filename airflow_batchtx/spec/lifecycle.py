"""The life of a transform job: which status follows which, and what an ended job means."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_batchtx import errors
from airflow_batchtx.spec.enums import JobStatus

NEXT: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.IN_PROGRESS: frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPING}),
    JobStatus.STOPPING: frozenset({JobStatus.STOPPED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.STOPPED: frozenset(),
}

# The class before the colon of a FailureReason is its machine-readable part.
FAILURES: Mapping[str, type[errors.JobFailed]] = {
    "ClientError": errors.JobClientError,
    "AlgorithmError": errors.JobAlgorithmError,
    "CapacityError": errors.JobCapacityError,
    "InternalServerError": errors.JobInternalServerError,
}


def is_final(status: str) -> bool:
    """Tell whether a job of this status has ended."""
    return not NEXT[JobStatus(status)]


def failure(job_name: str, status: str, reason: str = "") -> errors.JobFailed | None:
    """Give the error that an ended job means, or None for one that Completed.

    Stopped is a failure: its output is not complete. (botocore's waiter takes it for success.)
    """
    if status == JobStatus.COMPLETED:
        return None
    if status == JobStatus.STOPPED:
        return errors.JobStopped(job_name, reason)
    return FAILURES.get(reason.partition(":")[0], errors.JobFailed)(job_name, reason)
