"""Batches written by a thread beside the one that makes them: Arrow does both without Python's lock."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from airflow_batchtx.storage.tables.sinks import Sink

# Batches that wait to be written.
WAITING = 2


class Beside:
    """A sink that takes a batch before the one before it is written. What went wrong is raised a little later."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="table")
        self._pending: deque[Future[None]] = deque()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        if len(self._pending) >= WAITING:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._sink.write, batch))

    def close(self) -> None:
        """Write what is held, and close the other sink, also where something went wrong."""
        with self._pool:
            try:
                while self._pending:
                    self._pending.popleft().result()
            finally:
                self._pool.submit(self._sink.close).result()
