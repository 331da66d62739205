"""Iterators whose next items are made in other threads, a few at a time, while the last one is worked on.

What is not taken is given up when the iterator is closed; no thread outlives it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_END: Any = object()


def in_advance(items: Iterator[Item], most: int = 2) -> Generator[Item, None, None]:
    """Yield the items, which a thread of their own makes; at most so many of them wait to be taken."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="advance")
    try:
        coming: deque[Future[Item]] = deque(pool.submit(next, items, _END) for _ in range(most))
        while (item := coming.popleft().result()) is not _END:
            coming.append(pool.submit(next, items, _END))
            yield item
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def at_once(make: Callable[[Item], Made], items: Iterator[Item], threads: int) -> Generator[Made, None, None]:
    """Yield what is made of the items, in their order, by so many threads; one more of them waits to be taken."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="at-once")
    coming: deque[Future[Made]] = deque()
    try:
        for item in items:
            coming.append(pool.submit(make, item))
            if len(coming) > threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
