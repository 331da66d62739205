"""An event loop whose time passes only while all sleep, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

T = TypeVar("T")

# Seconds that a turn of the loop takes at least: no clock stands still.
TURN = 1e-6
BEGIN = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)


class _Instant(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # which class that is depends on the system
    """Waits for nothing: what it is asked to wait has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "all tasks wait for ever"
        self.now += max(timeout, TURN)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at 0. What is to run in a thread runs on the loop, after `latency` seconds."""

    def __init__(self, latency: float = 0.0) -> None:
        self._instant = _Instant()
        self.latency = latency
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.now

    def clock(self) -> float:
        """Seconds since the epoch."""
        return (BEGIN + timedelta(seconds=self.time())).timestamp()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        async def run() -> Any:
            await asyncio.sleep(self.latency)
            return func(*args)

        return asyncio.ensure_future(run(), loop=self)


def run_in_no_time(work: Callable[[VirtualLoop], Coroutine[Any, Any, T]], latency: float = 0.0) -> T:
    """Run it to its end, and cancel what it leaves behind."""
    loop = VirtualLoop(latency)
    try:
        return loop.run_until_complete(_and_nothing_else(work(loop)))
    finally:
        loop.close()


async def _and_nothing_else(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
