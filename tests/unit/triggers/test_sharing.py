"""What triggers share, and for how long."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from airflow_batchtx.triggers.sharing import Once, shared


class Thing:
    def __init__(self, forget: Callable[[], None]) -> None:
        self.forget = forget


def test_one_loop_shares_what_has_one_name() -> None:
    async def work() -> None:
        first = shared("a", Thing)
        assert shared("a", Thing) is first
        assert shared("b", Thing) is not first
        first.forget()
        second = shared("a", Thing)
        assert second is not first
        first.forget()  # what it stood for is gone already
        assert shared("a", Thing) is second

    asyncio.run(work())


def test_another_loop_has_its_own_and_a_closed_one_keeps_nothing() -> None:
    async def work() -> weakref.ref[Thing]:
        return weakref.ref(shared("a", Thing))

    first = asyncio.run(work())
    second = asyncio.run(work())
    gc.collect()

    assert first() is None
    assert second() is not None


def test_there_is_nothing_to_share_without_a_loop() -> None:
    with pytest.raises(RuntimeError):
        shared("a", Thing)


def test_once_is_once_for_all_threads() -> None:
    made: list[int] = []
    gate = threading.Barrier(5)

    def make() -> list[int]:
        made.append(1)
        return made

    once = Once(make)

    def get() -> None:
        gate.wait()
        assert once() is made

    threads = [threading.Thread(target=get) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [1]
