"""What every task of this package takes: the way to AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypedDict

from airflow.sdk import BaseOperator

from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.hooks.logs import LogsHook
from airflow_batchtx.hooks.storage import StorageHook
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.sagemaker.models import Models


class AwsSettings(TypedDict):
    """The arguments that every AWS hook takes; None leaves a setting to the connection, then to boto3."""

    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    config: dict[str, Any] | None


class ConnectedOperator(BaseOperator):
    """A task that talks to AWS.

    `aws_conn_id` names an Airflow connection (None is boto3's own search for credentials). `region_name`, `verify` and
    `botocore_config` (the arguments of botocore's Config, such as `{"retries": {"mode": "adaptive"}}`) overrule it.
    """

    template_fields: Sequence[str] = ("aws_conn_id", "region_name", "verify")

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @property
    def aws(self) -> AwsSettings:
        """How to reach AWS, for hooks and triggers."""
        return AwsSettings(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=None if self.botocore_config is None else dict(self.botocore_config),
        )

    @cached_property
    def hook(self) -> BatchTransformHook:
        """Transform jobs."""
        return BatchTransformHook(**self.aws)

    @property
    def models(self) -> Models:
        """Models and model packages, over the client as it is now."""
        return self.hook.models

    @cached_property
    def job_logs(self) -> JobLogs:
        """The logs of transform jobs."""
        return LogsHook(**self.aws).job_logs()

    @cached_property
    def storage(self) -> StorageHook:
        """Objects in S3."""
        return StorageHook(**self.aws)
