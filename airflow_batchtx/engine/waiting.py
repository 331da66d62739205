"""Waiting for work that may hang, without hanging with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

from airflow_batchtx.errors import TransformStopped

Result = TypeVar("Result")


class Signal:
    """Something that happens once, to be waited for from any thread."""

    def __init__(self) -> None:
        self._happened: Future[None] = Future()
        self._lock = threading.Lock()

    def set(self) -> None:
        """Let it have happened; a second time does nothing."""
        with self._lock:
            if not self._happened.done():
                self._happened.set_result(None)

    def is_set(self) -> bool:
        """Tell whether it has happened."""
        return self._happened.done()

    def wait(self, seconds: float) -> bool:
        """Wait for it, so long at most; tell whether it has happened."""
        wait([self._happened], max(0.0, seconds))
        return self.is_set()

    def or_done(self, work: Callable[[], Result], undo: Callable[[], object] = lambda: None) -> Result:
        """Do `work` and give what it gives; TransformStopped once the signal comes, and the work is left alone.

        `undo` is called when work that was left alone has ended.
        """
        done: Future[Result] = Future()
        threading.Thread(target=_do, args=(work, done), name="may-hang", daemon=True).start()
        either: list[Future[Any]] = [done, self._happened]
        wait(either, return_when=FIRST_COMPLETED)
        if self.is_set():
            done.add_done_callback(lambda _: undo())
            raise TransformStopped
        return done.result()


def _do(work: Callable[[], Result], done: Future[Result]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 it is raised where the work is waited for
        done.set_exception(error)
