"""Transform jobs, over an Airflow connection."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from airflow_batchtx.errors import JobRefused, ServiceUnavailable
from airflow_batchtx.hooks.failures import typed_errors
from airflow_batchtx.hooks.waiting import POLL_INTERVAL, Described, Watch, ended
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import is_final

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


class BatchTransformHook(AwsBaseHook):
    """Creates, describes, stops and waits for transform jobs; botocore's errors come out typed.

    Takes what every AWS hook takes: `aws_conn_id`, `region_name`, `verify`, `config`. All settings of the connection
    count, and so do AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SAGEMAKER: the local engine is nothing but an endpoint.
    """

    # Seconds. Waits are long: a connection that someone mends, or whose secret is rotated, counts after so many.
    renewed_after = 300.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "sagemaker"})
        self._one_at_a_time = threading.Lock()
        self._made = time.monotonic()

    @property
    def client(self) -> SageMakerClient:
        """The boto3 client, one for all threads; the first access makes it, which takes a while."""
        with self._one_at_a_time:
            if time.monotonic() - self._made > self.renewed_after:
                for cached in ("conn", "conn_config"):
                    self.__dict__.pop(cached, None)
                self._made = time.monotonic()
            return cast("SageMakerClient", self.conn)

    def create(self, request: Mapping[str, Any]) -> str:
        """Create the job that a CreateTransformJob request describes, and give its ARN.

        JobNameTaken, QuotaExceeded, JobRefused, or ServiceUnavailable; after the last the job may exist nevertheless.
        """
        with typed_errors(request["TransformJobName"]):
            return self.client.create_transform_job(**request)["TransformJobArn"]

    def describe(self, job_name: str) -> Described:
        """Give what SageMaker knows of a job; JobNotFound, JobRefused or ServiceUnavailable."""
        with typed_errors(job_name):
            return cast("Described", self.client.describe_transform_job(TransformJobName=job_name))

    def look(self, job_name: str) -> Described | None:
        """Describe a job; None, and a warning in the log, where SageMaker could not be asked just now."""
        try:
            return self.describe(job_name)
        except ServiceUnavailable as miss:
            self.log.warning("%s; trying again.", miss)
            return None

    def stop(self, job_name: str) -> bool:
        """Ask for a job's end; False where it has ended or is stopping anyway."""
        try:
            with typed_errors(job_name):
                self.client.stop_transform_job(TransformJobName=job_name)
        except JobRefused:
            # The same code stands for a job that has ended and for one that does not exist: Describe tells.
            status = self.describe(job_name)["TransformJobStatus"]
            if is_final(status) or status == JobStatus.STOPPING:
                return False
            raise
        return True

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
        while not ended(seen := self.look(job_name)):
            sleep(watch.pause(seen))
        return seen
