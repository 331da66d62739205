"""The logs of transform jobs, over an Airflow connection."""

from __future__ import annotations

from typing import Any

from airflow_batchtx.hooks.current import CurrentHook
from airflow_batchtx.sagemaker.joblogs import JobLogs


class LogsHook(CurrentHook):
    """Reads logs with the very settings that the jobs' hook has, Region, endpoint and role included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "logs"})

    def job_logs(self) -> JobLogs:
        """Give the logs of all jobs of the account and Region, each call over the client as it is then."""
        return JobLogs(self.current)
