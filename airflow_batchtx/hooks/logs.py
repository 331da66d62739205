"""The logs of transform jobs, over an Airflow connection."""

from __future__ import annotations

from typing import Any, cast

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from airflow_batchtx.hooks.current import Current
from airflow_batchtx.sagemaker.joblogs import JobLogs, LogsClient


class LogsHook(AwsBaseHook):
    """Reads logs with the very settings that the jobs' hook has, Region, endpoint and role included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "logs"})

    def job_logs(self) -> JobLogs:
        """Give the logs of all jobs of the account and Region; the client is made when it is first needed."""
        return JobLogs(cast("LogsClient", Current(lambda: self.conn)))
