"""The way to AWS for who waits for many jobs, and is not in a hurry with any."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from airflow_batchtx.control.services import Services
from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.hooks.current import Current
from airflow_batchtx.hooks.logs import LogsHook
from airflow_batchtx.hooks.storage import StorageHook
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.s3 import S3Store


class PacedHook(BatchTransformHook):
    """The hook of a caller that paces and repeats calls itself: botocore makes each call once, and waits for none long.

    What the connection or `config` says of retries and timeouts goes over that.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._settings = settings
        self._session: tuple[Any, Any] = (None, None)  # the connection that it is for, and the session
        # A session must not make two clients at once.
        self.making = threading.RLock()

    @property
    def config(self) -> Config:
        """Configuration of the client."""
        return Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30).merge(super().config)

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> Any:
        """Give one session to all clients of a connection: what it has read of AWS's endpoints takes 8 MB."""
        with self.making:
            if self._session[0] is not self.conn_config:
                self._session = self.conn_config, super().get_session(region_name, deferrable)
            return self._session[1]

    def get_client_type(self, *args: Any, **kwargs: Any) -> Any:
        """Make the client."""
        with self.making:
            return super().get_client_type(*args, **kwargs)

    def services(self) -> Services:
        """Reach the logs and S3 as well, with the same settings; a client is made when it is first needed."""
        storage = _StorageHook(self, self._settings)
        return Services(
            jobs=self.jobs,
            models=self.models,
            logs=_LogsHook(self, self._settings).job_logs(),
            store=cast("ObjectStore", Current(lambda: storage.only_store)),
            clock=time.time,
            sleep=time.sleep,
        )


class _Sibling(AwsBaseHook):
    """A hook that leaves the session to the jobs' hook of the same settings."""

    def __init__(self, jobs: PacedHook, settings: Mapping[str, Any]) -> None:
        super().__init__(**settings)
        self._jobs = jobs

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> Any:
        return self._jobs.get_session(region_name, deferrable)

    def get_client_type(self, *args: Any, **kwargs: Any) -> Any:
        with self._jobs.making:
            return super().get_client_type(*args, **kwargs)


class _LogsHook(_Sibling, LogsHook):
    pass


class _StorageHook(_Sibling, StorageHook):
    @cached_property
    def only_store(self) -> S3Store:
        return self.store()
