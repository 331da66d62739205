"""Transform jobs, over an Airflow connection."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_batchtx.control.waiting import POLL_INTERVAL, Watch, waited
from airflow_batchtx.hooks.current import CurrentHook
from airflow_batchtx.sagemaker.jobs import Described, TransformJobs
from airflow_batchtx.sagemaker.models import Models


class BatchTransformHook(CurrentHook):
    """Creates, describes, stops and waits for transform jobs; botocore's errors come out typed.

    Takes what every AWS hook takes: `aws_conn_id`, `region_name`, `verify`, `config`. All settings of the connection
    count, and so do AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SAGEMAKER: the local engine is nothing but an endpoint.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "sagemaker"})

    @property
    def jobs(self) -> TransformJobs:
        """Transform jobs, each call over the client as it is then."""
        return TransformJobs(self.current)

    @property
    def models(self) -> Models:
        """Models and model packages, each call over the client as it is then."""
        return Models(self.current)

    def create(self, request: Mapping[str, Any]) -> str:
        """Create the job that a CreateTransformJob request describes, and give its ARN; see TransformJobs.create."""
        return self.jobs.create(request)

    def describe(self, job_name: str) -> Described:
        """Give what SageMaker knows of a job; JobNotFound, JobRefused or ServiceUnavailable."""
        return self.jobs.describe(job_name)

    def look(self, job_name: str) -> Described | None:
        """Describe a job; None, and a warning in the log, where SageMaker could not be asked just now."""
        return self.jobs.look(job_name)

    def stop(self, job_name: str) -> bool:
        """Ask for a job's end; False where it has ended or is stopping anyway."""
        return self.jobs.stop(job_name)

    def wait(
        self,
        job_name: str,
        *,
        interval: float = POLL_INTERVAL,
        timeout: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> Described:
        """Look at a job until it has ended, however it ended; JobTimedOut after `timeout` seconds.

        The job is looked at once at least. Throttling and lost connections never end the wait before its time.
        """
        deadline = None if timeout is None else clock() + timeout
        watch = Watch(job_name=job_name, interval=interval, deadline=deadline, clock=clock, chance=chance)
        return waited(lambda: self.look(job_name), watch, sleep=sleep)
