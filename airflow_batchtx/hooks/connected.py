"""What every task of this package takes: the way to AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from airflow.sdk import BaseOperator

from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.hooks.services import AwsSettings
from airflow_batchtx.hooks.storage import StorageHook, refuse_keys
from airflow_batchtx.storage.s3 import S3Store


class ConnectedOperator(BaseOperator):
    """A task that talks to AWS.

    `aws_conn_id` names an Airflow connection (None is boto3's own search for credentials). `region_name`,
    `ssl_verify` (what AWS hooks call `verify`, a word that transform tasks need for their outputs) and
    `botocore_config` (the arguments of botocore's Config, such as `{"retries": {"mode": "adaptive"}}`) overrule it.
    `s3_extra_args` go with every request to S3 that takes them: `{"ExpectedBucketOwner": ..., "RequestPayer": ...}`;
    keys of one's own (SSE-C) are refused.
    """

    template_fields: Sequence[str] = ("aws_conn_id", "region_name", "ssl_verify", "s3_extra_args")

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        ssl_verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
        s3_extra_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.ssl_verify = ssl_verify
        self.botocore_config = botocore_config
        self.s3_extra_args = s3_extra_args
        if isinstance(s3_extra_args, Mapping):
            refuse_keys(f"task {self.task_id}", s3_extra_args)

    @property
    def aws(self) -> AwsSettings:
        """How to reach AWS, for hooks and triggers."""
        return AwsSettings(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.ssl_verify,
            config=None if self.botocore_config is None else dict(self.botocore_config),
        )

    @cached_property
    def hook(self) -> BatchTransformHook:
        """Transform jobs."""
        return BatchTransformHook(**self.aws)

    @cached_property
    def store(self) -> S3Store:
        """Objects in S3."""
        return StorageHook(**self.aws).store(extra_args=self.s3_extra_args)
