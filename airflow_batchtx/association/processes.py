"""Pairs written by several processes at once; what comes of them is the same as by one, in the same order."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
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


class Processes:
    """So many processes, which end with this context. `opener` gives what opens the store in them."""

    def __init__(self, count: int, opener: Callable[[], Opener]) -> None:
        self._count, self._opener = count, opener
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for _ in range(self._count):
                self._idle.put(stack.enter_context(_Worker(self._count)))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def spread(self, tasks: Iterable[Task]) -> Generator[Written, None, None]:
        """Yield what was written of each task, in their order; the first error in that order is raised.

        `opener` is asked for each task, so that what it opens is not out of date. When this ends nothing is written any
        more, error or not. ProcessEnded says that one was killed, for want of memory mostly.
        """
        pending: deque[Future[Written]] = deque()
        with ThreadPoolExecutor(self._count, thread_name_prefix="association") as pool:
            try:
                for task in tasks:
                    pending.append(pool.submit(self._written, task))
                    if len(pending) >= self._count * (1 + WAITING):
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()

    def _written(self, task: Task) -> Written:
        worker = self._idle.get()
        try:
            return worker.write(self._opener(), task)
        finally:
            self._idle.put(worker)


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
        except (BrokenPipeError, EOFError, pickle.UnpicklingError) as gone:
            raise ProcessEnded(str(task.pair.source), self._process.wait()) from gone
        if error is not None:
            raise error
        done: Written = written
        return done
