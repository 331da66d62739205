"""The world of job control, over an Airflow connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from airflow_batchtx.control.services import Services
from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.hooks.logs import LogsHook
from airflow_batchtx.hooks.storage import StorageHook


class AwsSettings(TypedDict):
    """The arguments that every AWS hook takes; None leaves a setting to the connection, then to boto3."""

    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    config: dict[str, Any] | None


def services(
    aws: AwsSettings,
    *,
    s3_extra_args: Mapping[str, Any] | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Services:
    """Reach SageMaker, its logs and S3 with the same settings; clients of what is not called are never made."""
    hook = BatchTransformHook(**aws)
    return Services(
        jobs=hook.jobs,
        models=hook.models,
        logs=LogsHook(**aws).job_logs(),
        store=StorageHook(**aws).store(extra_args=s3_extra_args),
        clock=clock,
        sleep=sleep,
    )
