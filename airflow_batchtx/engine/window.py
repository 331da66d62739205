"""Many requests in flight, answers in order, memory within a budget."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import TypeVar

from airflow_batchtx.errors import TransformStopped

Payload = TypeVar("Payload")
Answer = TypeVar("Answer")

# How soon a wait for an answer notices that the job is to stop, in seconds.
_LOOK = 0.25


class Budget:
    """Bytes of payload that an instance may hold at once, shared by all objects that it works on.

    More than the whole budget counts as the whole, so that one large payload gets through alone.
    """

    def __init__(self, size: int) -> None:
        self.size = self._free = max(1, size)
        self._freed = threading.Condition()

    def take(self, size: int, *, wait: bool, stopping: threading.Event) -> bool:
        """Take `size` bytes; without `wait` give up at once where they are not free."""
        size = self._counted(size)
        with self._freed:
            while size > self._free:
                if not wait:
                    return False
                if stopping.is_set():
                    raise TransformStopped
                self._freed.wait(_LOOK)
            self._free -= size
        return True

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        with self._freed:
            self._free += self._counted(size)
            self._freed.notify_all()

    def _counted(self, size: int) -> int:
        return min(size, self.size)


@dataclass(frozen=True, slots=True)
class Lane:
    """What all objects of an instance share: `threads` threads that make requests, a budget, and the sign to stop."""

    pool: Executor
    threads: int
    budget: Budget
    stopping: threading.Event


def in_order(
    payloads: Iterator[Payload], answer: Callable[[Payload], Answer], *, weight: int, lane: Lane
) -> Iterator[Answer]:
    """Yield the answers to `payloads` in their order, asking for as many at once as pool and budget allow.

    `weight` is what a payload takes of the budget. The first failed request raises; those behind it are left to end
    by themselves. TransformStopped is raised soon after the sign to stop.
    """
    window: deque[Future[Answer]] = deque()
    more = True
    try:
        while more or window:
            # A stream waits for budget only while it holds none, so that no two wait for each other.
            if more and lane.budget.take(weight, wait=not window, stopping=lane.stopping):
                more = _asked(payloads, answer, window, weight, lane)
            elif window:
                yield _settled(window[0], lane.stopping)
                window.popleft()
                lane.budget.give(weight)
    finally:
        for left in window:
            left.cancel()
            left.add_done_callback(lambda _: lane.budget.give(weight))


def _asked(
    payloads: Iterator[Payload],
    answer: Callable[[Payload], Answer],
    window: deque[Future[Answer]],
    weight: int,
    lane: Lane,
) -> bool:
    """Ask for the answer to the next payload; False where there is none."""
    try:
        payload = next(payloads, None)
    except BaseException:
        lane.budget.give(weight)
        raise
    if payload is None:
        lane.budget.give(weight)
        return False
    window.append(lane.pool.submit(answer, payload))
    return True


def _settled(request: Future[Answer], stopping: threading.Event) -> Answer:
    while not wait([request], timeout=_LOOK).done:
        if stopping.is_set():
            raise TransformStopped
    if stopping.is_set():
        raise TransformStopped
    return request.result()
