"""What the page gets of jobs, as JSON: what is on record, and over it what was seen just now."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from airflow_batchtx.planning.cost import cost
from airflow_batchtx.plugin.documents import Logged, Mapped, TooLarge
from airflow_batchtx.plugin.jobs import NOT_FOLLOWED, TaskJob
from airflow_batchtx.plugin.looking import Look
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.card import JobCard
from airflow_batchtx.spec.lifecycle import is_final
from airflow_batchtx.spec.prices import Price
from airflow_batchtx.spec.result import TransformResult

# What a row shows of a result, beside what it shows of the job's task.
_LISTED = (
    "job_name", "model_name", "instance_type", "instance_count", "created", "started", "ended", "objects",
    "objects_done", "rows", "cost", "currency", "reused",
)  # fmt: skip
_DETAILED = (
    "job_arn", "input", "output", "content_type", "accept", "split_type", "batch_strategy", "join_source", "control",
    "record", "attempts", "instance_seconds",
)  # fmt: skip
_NOT_YET = "SageMaker has not answered yet"


def listed(job: TaskJob, look: Look | None, now: datetime) -> dict[str, Any]:
    """Give a job as a row of the list shows it.

    `unknown` says why nobody knows how the job is, where it should have been asked for; `running_cost` is what it has
    cost so far; `done` of `total` objects are done, and it may take `seconds_left`.
    """
    described = look.described if look else None
    result = seen(job.card, described)
    progress = look.progress if look and not is_final(result.status) else None
    return {
        **asdict(job.place),
        **_members(result, _LISTED),
        "state": result.status if described or job.state != NOT_FOLLOWED else NOT_FOLLOWED,
        "reason": job.card.reason or (described or {}).get("FailureReason", ""),
        "unknown": "" if described or not asked(job) else (look.failed if look else _NOT_YET),
        "running_cost": _running_cost(job.card, result, now),
        "done": progress.done if progress else result.objects_done,
        "total": progress.total if progress else result.objects,
        "seconds_left": progress.seconds_left if progress else None,
        "task_state": job.task_state,
        "task_is_over": job.task_is_over,
        "try_number": job.try_number,
        "run_after": job.run_after.isoformat(),
        "links": dict(job.links),
    }


def detailed(job: TaskJob, look: Look | None, now: datetime) -> dict[str, Any]:
    """Give a job as its own page shows it."""
    return listed(job, look, now) | _members(seen(job.card, look.described if look else None), _DETAILED)


def asked(job: TaskJob) -> bool:
    """Tell whether SageMaker has to be asked how a job is: not where its end is on record."""
    return not is_final(job.card.result.status)


def seen(card: JobCard, described: Described | None) -> TransformResult:
    """Put over what is on record what SageMaker says by now."""
    if described is None:
        return card.result
    told = TransformResult.of(described)
    times = ("started", "ended", "provisioning_seconds", "transform_seconds", "instance_seconds")
    now = replace(
        card.result, status=told.status, created=told.created, **{name: getattr(told, name) for name in times}
    )
    return replace(now, cost=_cost(card, now.instance_seconds), currency=card.currency)


def mapping(mapped: Mapped | TooLarge | None, page: int) -> dict[str, Any]:
    """Give one page of which output answers which input; `uri` where there are too many to show."""
    if isinstance(mapped, TooLarge):
        return {"total": None, "proved": False, "pairs": [], **asdict(mapped)}
    if mapped is None:
        return {"total": 0, "proved": False, "pairs": []}
    return {
        "total": len(mapped.pairs),
        "proved": mapped.proved,
        "pairs": [asdict(pair) for pair in mapped.page(page)],
    }


def log(logged: Logged) -> dict[str, Any]:
    """Give the end of a job's logs."""
    return {
        "lines": [{**asdict(line), "time": line.time.isoformat()} for line in logged.lines],
        "failed": [asdict(one) for one in logged.failed],
    }


def _members(result: TransformResult, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(result, name) for name in names}


def _running_cost(card: JobCard, result: TransformResult, now: datetime) -> float | None:
    if is_final(result.status) or result.started is None:
        return None
    seconds = (now - datetime.fromisoformat(result.started)).total_seconds()
    return _cost(card, max(seconds, 0.0) * result.instance_count)


def _cost(card: JobCard, instance_seconds: float | None) -> float | None:
    if card.per_hour is None or instance_seconds is None:
        return None
    return cost(instance_seconds, Price(per_hour=card.per_hour, currency=card.currency or "", date="", source=""))
