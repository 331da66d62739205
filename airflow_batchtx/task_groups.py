"""Prepare, transform, associate: wired in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow.sdk import TaskGroup

from airflow_batchtx.errors import InvalidJob, Problem
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.job import TransformJob
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.prepared import INPUT_PATH
from airflow_batchtx.spec.templates import Reference, Text

Options = Mapping[str, Any]


def scoring(  # noqa: PLR0913 - the options of three tasks, by name only
    *,
    source: Text | Sequence[str],
    job: TransformJob | Mapping[str, Any],
    output: Text,
    keep: Sequence[str] | Reference = (),
    columns: Sequence[str] | Reference | None = None,
    group_id: str = "scoring",
    default_args: Options | None = None,
    prepare: Options | None = None,
    transform: Options | None = None,
    associate: Options | None = None,
) -> TaskGroup:
    """Score the tables at `source`, and write them with their `keep` columns and predictions to `output`.

    Gives a group of three tasks: `prepare`, `transform` and `associate`. A job reads its input from where prepare
    writes it, so the job's own `input` says where that is: the prefix of the shards. It is made into at least as many
    shards as the job has instances.

    `default_args` go to all three tasks (`{"aws_conn_id": "prod", "retries": 2}`); `prepare`, `transform` and
    `associate` are further arguments of one of them (`transform={"deferrable": True}`).
    """
    request = job.to_request() if isinstance(job, TransformJob) else job
    common: Any = dict(default_args or {})  # mypy cannot tell what the converter of this argument takes
    with TaskGroup(group_id, default_args=common) as group:
        prepared = PrepareInputOperator(
            task_id="prepare",
            **{
                "source": source,
                "output": _staging(request),
                "columns": columns,
                "keep": keep,
                "min_shards": wire.at(request, BY_NAME["instance_count"].path),
                **(prepare or {}),
            },
        )
        scored = BatchTransformOperator(task_id="transform", job=_reading(job, prepared.output), **(transform or {}))
        AssociateOutputOperator(task_id="associate", result=scored.output, output=output, **(associate or {}))
    return group


def _staging(request: Mapping[str, Any]) -> str:
    staging = wire.at(request, INPUT_PATH)
    if not isinstance(staging, str):
        remedy = "Give s3://bucket/prefix/; the job reads what prepare has written there."
        raise InvalidJob(
            "scoring", (Problem(BY_NAME["input"].label, staging, "must be the prefix that prepare writes to", remedy),)
        )
    return staging


def _reading(job: TransformJob | Mapping[str, Any], prepared: Any) -> TransformJob | wire.Request:
    if isinstance(job, TransformJob):
        return replace(job, input=prepared)
    request = wire.copied(job)
    wire.put(request, INPUT_PATH, prepared)
    return request
