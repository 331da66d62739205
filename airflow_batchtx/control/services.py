"""The world that job control works in; everything is handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.sagemaker.jobs import TransformJobs
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.storage.port import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """SageMaker, its logs, S3, and the time: `clock` gives seconds since the epoch, `sleep` takes seconds."""

    jobs: TransformJobs
    models: Models
    logs: JobLogs
    store: ObjectStore
    clock: Callable[[], float]
    sleep: Callable[[float], None]
