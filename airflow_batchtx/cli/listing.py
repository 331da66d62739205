"""`batchtx list`: what ListTransformJobs tells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from airflow_batchtx.cli import showing
from airflow_batchtx.sagemaker.jobs import PAGE, Summary, TransformJobs


def found(jobs: TransformJobs, *, limit: int, **bounds: Any) -> list[Summary]:
    """Give the newest jobs, `limit` at most, from no more pages than that needs; bounds are those of `listed`."""
    return list(islice(jobs.listed(pages=-(-limit // PAGE), **bounds), limit))


def told(job: Summary, now: datetime) -> dict[str, Any]:
    """Say of a job what there is to say, for machines."""
    return {
        "job_name": job["TransformJobName"],
        "status": job["TransformJobStatus"],
        "created": job["CreationTime"],
        "ended": job.get("TransformEndTime"),
        "seconds": round(_seconds(job, now), 3),
        "reason": job.get("FailureReason"),
    }


def show(jobs: Sequence[Summary], now: datetime) -> None:
    """Print a table of jobs."""
    rows = [
        (
            job["TransformJobName"],
            showing.status_of(job["TransformJobStatus"]),
            job["CreationTime"].astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            showing.duration(_seconds(job, now)) or "",
            job.get("FailureReason", ""),
        )
        for job in jobs
    ]
    showing.listed(("name", "status", "created", "duration", "reason"), rows)


def _seconds(job: Summary, now: datetime) -> float:
    """Give the time from a job's creation to its end, or until now."""
    created: datetime = job["CreationTime"]
    ended: datetime = job.get("TransformEndTime") or now
    return max((ended - created).total_seconds(), 0.0)
