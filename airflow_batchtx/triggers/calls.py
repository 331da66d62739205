"""Calls over one client, from an event loop: never on it, and never more than AWS takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from airflow_batchtx.errors import ServiceUnavailable
from airflow_batchtx.sagemaker.jobs import TransformJobs
from airflow_batchtx.triggers.bucket import Bucket

log = logging.getLogger(__name__)

T = TypeVar("T")

# Calls under way at once.
TOGETHER = 4
# Seconds from one warning to the next: where an account is throttled, that goes on.
QUIET = 60.0


class Connected(Protocol):
    """A way to AWS: a hook. Making one may take a while, and so may the first call over it."""

    @property
    def jobs(self) -> TransformJobs:
        """Transform jobs, over the client as it is now."""
        ...


class Calls:
    """Makes calls in threads of its own, over what `connect` gives, as often as `bucket` lets it.

    For the event loop that runs when it is made. It can be used again after it was closed.
    """

    def __init__(self, connect: Callable[[], Connected], bucket: Bucket) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect, self._bucket = connect, bucket
        self._connecting = asyncio.Lock()
        self._connected: Connected | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._warned = -QUIET

    async def make(self, call: Callable[[TransformJobs], T]) -> T:
        """Give the answer, or raise what the call raises; once, for whom to repeat it is the caller's affair."""
        async with self._connecting:
            if self._connected is None:
                self._connected = await self.in_thread(self._connect)
            connected = self._connected
        await asyncio.sleep(self._bucket.reserve())
        try:
            answer = await self.in_thread(lambda: call(connected.jobs))
        except ServiceUnavailable as miss:
            self._bucket.slow_down()
            self._warn(miss)
            raise
        self._bucket.recover()
        return answer

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do what blocks."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(TOGETHER, thread_name_prefix="batchtx-watcher")
        return await self._loop.run_in_executor(self._threads, work)

    def close(self) -> None:
        """Let go of the client and the threads; calls under way come to their end."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._connected = self._threads = None

    def _warn(self, miss: ServiceUnavailable) -> None:
        now = self._loop.time()
        if now - self._warned >= QUIET:
            self._warned = now
            log.warning("%s; asking again, more slowly", miss)
