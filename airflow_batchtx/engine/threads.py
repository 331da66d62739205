"""Threads for one kind of work: however much of it waits, work of another kind finds a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")


class Threads:
    """So many threads at most; what comes beyond them waits its turn."""

    def __init__(self, most: int) -> None:
        self._limiter = CapacityLimiter(most)

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do blocking work, and give what it gives."""
        return await to_thread.run_sync(work, *arguments, limiter=self._limiter)
