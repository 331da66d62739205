"""Clients that are asked for at each call, so that one who holds them for hours calls with what counts by then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook


class Current:
    """Stands for a boto3 client that is made when it is first called, and anew when its hook says so."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client(), name)


class CurrentHook(AwsBaseHook):
    """A hook whose client is made anew from time to time, one for all threads."""

    # Seconds. Waits are long: a connection that someone mends, or whose secret is rotated, counts after so many.
    renewed_after = 300.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._one_at_a_time = threading.Lock()
        self._made = time.monotonic()

    @property
    def client(self) -> Any:
        """The boto3 client as it is now; the first access makes it, which takes a while."""
        with self._one_at_a_time:
            if time.monotonic() - self._made > self.renewed_after:
                for cached in ("conn", "conn_config"):
                    self.__dict__.pop(cached, None)
                self._made = time.monotonic()
            return self.conn

    @property
    def current(self) -> Any:
        """What stands for the client, for one who holds it: each call goes over the client as it is then."""
        return Current(lambda: self.client)
