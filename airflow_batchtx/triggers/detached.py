"""Work that belongs to no task, though a task has begun it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# What callbacks run in that log nothing: one for all of them, in the place of a copy for each.
NOBODYS = contextvars.Context()


def detached(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begin it with an empty context: a triggerer would show what it logs in the log of the task that began it."""
    return contextvars.Context().run(asyncio.get_running_loop().create_task, work)
