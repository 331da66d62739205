"""Many requests in flight, answers in order, memory within a budget."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from airflow_batchtx.errors import TransformStopped

Payload = TypeVar("Payload")
Answer = TypeVar("Answer")

# How soon a wait notices that the job is to stop, in seconds.
LOOK = 0.25


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
                self._freed.wait(LOOK)
            self._free -= size
        return True

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        with self._freed:
            self._free += self._counted(size)
            self._freed.notify_all()

    def _counted(self, size: int) -> int:
        return min(size, self.size)


class Lane:
    """What all objects of an instance share: turns for `width` requests at once, a budget, and the sign to stop."""

    def __init__(self, width: int, budget: Budget, stopping: threading.Event) -> None:
        self.width, self.budget, self.stopping = width, budget, stopping
        self._turns = threading.Semaphore(width)
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="invoke")
        self._asking, self._counting = 0, threading.Lock()

    @property
    def asking(self) -> int:
        """How many threads are in `ask`; after the sign to stop all that they get of it is TransformStopped."""
        return self._asking

    def ask(self, answer: Callable[[Payload], Answer], payload: Payload) -> Answer:
        """Ask in the caller's thread, however long it takes; TransformStopped where the job is to stop by then."""
        self._count(1)
        try:
            return self._in_turn(answer, payload)
        finally:
            self._count(-1)
            # Looked for after the count: who has seen the sign and this thread in the count may rely on it.
            if self.stopping.is_set():
                raise TransformStopped

    def submit(self, answer: Callable[[Payload], Answer], payload: Payload) -> Future[Answer]:
        """Ask in a thread of the lane's own."""
        return self._pool.submit(self._in_turn, answer, payload)

    def close(self) -> None:
        """Take no more requests; those in flight are left to end by themselves."""
        self._pool.shutdown(wait=False)

    def _in_turn(self, answer: Callable[[Payload], Answer], payload: Payload) -> Answer:
        while not self.stopping.is_set():
            if self._turns.acquire(timeout=LOOK):
                try:
                    return answer(payload)
                finally:
                    self._turns.release()
        raise TransformStopped

    def _count(self, change: int) -> None:
        with self._counting:
            self._asking += change


def one_by_one(
    payloads: Iterator[Payload], answer: Callable[[Payload], Answer], *, weight: int, lane: Lane
) -> Iterator[Answer]:
    """Yield what `in_order` yields, asked for in the caller's thread: for an object of a single payload.

    To hand a small payload over and wait for its answer would cost about as much as the request itself.
    """
    lane.budget.take(weight, wait=True, stopping=lane.stopping)
    try:
        for payload in payloads:
            yield lane.ask(answer, payload)
    finally:
        lane.budget.give(weight)


def in_order(
    payloads: Iterator[Payload], answer: Callable[[Payload], Answer], *, weight: int, lane: Lane
) -> Iterator[Answer]:
    """Yield the answers to `payloads` in their order, asking for as many at once as lane and budget allow.

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
    window.append(lane.submit(answer, payload))
    return True


def _settled(request: Future[Answer], stopping: threading.Event) -> Answer:
    while not wait([request], timeout=LOOK).done:
        if stopping.is_set():
            raise TransformStopped
    if stopping.is_set():
        raise TransformStopped
    return request.result()
