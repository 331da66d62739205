"""Objects in S3, over an Airflow connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from airflow_batchtx.storage.s3 import S3Store


class StorageHook(AwsBaseHook):
    """Reads and writes objects with the very settings that the jobs' hook has, Region, endpoint and role included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "s3"})

    def store(self, *, extra_args: Mapping[str, Any] | None = None) -> S3Store:
        """Give an ObjectStore; `extra_args` go with every request that knows them."""
        return S3Store(self.conn, extra_args=extra_args)
