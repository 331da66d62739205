"""A process that writes pairs for another one, which it hears on its standard input and tells on its standard output.

Not by multiprocessing: that would import the other's main module here, which is all of Airflow.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from functools import lru_cache
from queue import SimpleQueue
from traceback import format_exception_only
from typing import Any, BinaryIO

import pyarrow as pa

from airflow_batchtx.association.parts import Task, write
from airflow_batchtx.errors import ProcessFailed
from airflow_batchtx.storage.port import ObjectStore


def serve(processes: int) -> None:
    """Write the tasks that come, one after another, until there are no more; all of so many processes do."""
    tasks, told = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints is none of the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pa.set_cpu_count(max(1, pa.cpu_count() // processes))
    queue: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_hear, args=(tasks, queue), daemon=True).start()
    while True:
        pickle.dump(_done(queue.get()), told)
        told.flush()


def _hear(tasks: BinaryIO, queue: SimpleQueue[Any]) -> None:
    """End with the other process, whatever is being written."""
    try:
        while True:
            queue.put(pickle.load(tasks))  # noqa: S301 - of the process that has started this one
    finally:
        os._exit(0)


def _done(asked: tuple[Any, Any]) -> tuple[Any, BaseException | None]:
    opener, task = asked
    try:
        return write(_opened(opener), task), None
    except BaseException as error:  # noqa: BLE001 - it is raised where the task comes from
        return None, _portable(error, task)


def _portable(error: BaseException, task: Task) -> BaseException:
    """Give an error that arrives: not every one of a library can be pickled, or made again of what it was."""
    try:
        found: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - of this very process
    except Exception:  # noqa: BLE001 - whatever the error's own code raises
        return ProcessFailed(str(task.pair.source), "".join(format_exception_only(error)).strip())
    return found


@lru_cache(maxsize=1)
def _opened(opener: Any) -> ObjectStore:
    store: ObjectStore = opener()
    return store


if __name__ == "__main__":
    serve(int(sys.argv[1]))
