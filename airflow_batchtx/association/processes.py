"""Pairs written by several processes at once; what comes of them is the same as by one, in the same order."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from airflow_batchtx.association.parts import Task, Written
from airflow_batchtx.errors import ProcessEnded
from airflow_batchtx.storage.port import ObjectStore

if TYPE_CHECKING:
    from typing_extensions import Self

# Opens a store; it can be pickled, and compared.
Opener: TypeAlias = Callable[[], ObjectStore]
# Pairs that are waiting for a process, for each of them: some take longer than others.
WAITING = 3


def spread(tasks: Iterable[Task], processes: int, opener: Callable[[], Opener]) -> Iterator[Written]:
    """Yield what was written of each task, in their order; the first error in that order is raised.

    `opener` is asked for each task, so that what it opens is not out of date. When this ends nothing is written any
    more, error or not. ProcessEnded says that one was killed, for want of memory mostly.
    """
    pending: deque[Future[Written]] = deque()
    with ExitStack() as stack:
        idle: SimpleQueue[_Worker] = SimpleQueue()
        for _ in range(processes):
            idle.put(stack.enter_context(_Worker(processes)))
        pool = stack.enter_context(ThreadPoolExecutor(processes, thread_name_prefix="association"))
        try:
            for task in tasks:
                pending.append(pool.submit(_written, idle, opener, task))
                if len(pending) >= processes * (1 + WAITING):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _written(idle: SimpleQueue[_Worker], opener: Callable[[], Opener], task: Task) -> Written:
    worker = idle.get()
    try:
        return worker.write(opener(), task)
    finally:
        idle.put(worker)


class _Worker:
    """A process of `worker`; it ends with its context."""

    def __init__(self, processes: int) -> None:
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "airflow_batchtx.association.worker", str(processes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        # The end of its tasks is what ends it.
        with self._process, suppress(BrokenPipeError):
            self._process.stdin.close()

    def write(self, opener: Opener, task: Task) -> Written:
        """Have a task done."""
        tasks, told = self._process.stdin, self._process.stdout
        assert tasks is not None
        assert told is not None
        try:
            pickle.dump((opener, task), tasks)
            tasks.flush()
            written, error = pickle.load(told)  # noqa: S301 - of a process that was started here
        except (BrokenPipeError, EOFError) as gone:
            raise ProcessEnded(str(task.pair.source), self._process.wait()) from gone
        if error is not None:
            raise error
        done: Written = written
        return done
