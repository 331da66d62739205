from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.engine.window import Budget, Lane, in_order, one_by_one
from airflow_batchtx.errors import TransformStopped

Way = Callable[..., Iterator[bytes]]
WAYS: tuple[Way, ...] = (in_order, one_by_one)
both_ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


class BrokenError(Exception):
    pass


def lane_of(budget: int, stopping: threading.Event | None = None, width: int = 4) -> closing[Any]:
    return closing(Lane(width, Budget(budget), stopping or threading.Event()))


def payloads(count: int) -> Iterator[bytes]:
    return (b"%d" % index for index in range(count))


def is_given_back(lane: Lane, size: int) -> bool:
    """Tell whether so much of the budget is free soon."""
    late = threading.Event()
    timer = threading.Timer(10, late.set)
    timer.start()
    try:
        return lane.budget.take(size, wait=True, stopping=late)
    except TransformStopped:
        return False
    finally:
        timer.cancel()


@given(count=st.integers(0, 30), budget=st.integers(1, 50), weight=st.integers(0, 60), way=st.sampled_from(WAYS))
def test_answers_come_in_order_and_the_budget_comes_back(count: int, budget: int, weight: int, way: Way) -> None:
    with lane_of(budget) as lane:
        answers = list(way(payloads(count), lambda payload: payload * 2, weight=weight, lane=lane))

        assert answers == [b"%d" % index * 2 for index in range(count)]
        assert lane.budget.take(budget, wait=False, stopping=lane.stopping)


def test_requests_overlap() -> None:
    together = threading.Barrier(4, timeout=10)

    def answer(payload: bytes) -> bytes:
        together.wait()  # breaks unless four requests are in flight at once
        return payload

    with lane_of(5) as lane:
        assert len(list(in_order(payloads(8), answer, weight=1, lane=lane))) == 8


def test_one_by_one_asks_in_the_thread_that_wants_the_answer() -> None:
    with lane_of(5) as lane:
        threads = set(one_by_one(payloads(3), lambda _: threading.current_thread(), weight=1, lane=lane))

    assert threads == {threading.current_thread()}


def test_no_more_requests_are_in_flight_than_the_lane_is_wide_whoever_makes_them() -> None:
    in_flight, counting, most = 0, threading.Lock(), 0
    full = threading.Event()

    def answer(payload: bytes) -> bytes:
        nonlocal in_flight, most
        with counting:
            in_flight += 1
            most = max(most, in_flight)
            if most == 2:
                full.set()
        full.wait(10)
        with counting:
            in_flight -= 1
        return payload

    with lane_of(50, width=2) as lane, ThreadPoolExecutor(6) as streams:
        ways = [WAYS[index % 2] for index in range(6)]
        found = streams.map(lambda way: len(list(way(payloads(20), answer, weight=1, lane=lane))), ways)

        assert list(found) == [20] * 6
        assert lane.asking == 0
    assert most == 2


def test_no_more_payloads_are_held_than_the_budget_allows() -> None:
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for payload in payloads(20):
            taken += 1
            yield payload

    with lane_of(3) as lane:
        for written, _ in enumerate(in_order(counted(), bytes, weight=1, lane=lane)):
            assert taken <= written + 3


def test_streams_that_share_a_budget_never_wait_for_each_other() -> None:
    with lane_of(3) as lane, ThreadPoolExecutor(6) as streams:
        ways = [WAYS[index % 2] for index in range(6)]
        counts = streams.map(lambda way: len(list(way(payloads(50), bytes, weight=1, lane=lane))), ways)

        assert list(counts) == [50] * 6


@both_ways
def test_a_failed_request_raises_and_gives_the_budget_back(way: Way) -> None:
    def answer(payload: bytes) -> bytes:
        if payload == b"1":
            raise BrokenError
        return payload

    with lane_of(3) as lane:
        answers = way(payloads(9), answer, weight=1, lane=lane)
        assert next(answers) == b"0"
        with pytest.raises(BrokenError):
            list(answers)
        assert is_given_back(lane, 3)


@both_ways
def test_a_source_that_fails_gives_the_budget_back(way: Way) -> None:
    def failing() -> Iterator[bytes]:
        yield b"x"
        raise BrokenError

    with lane_of(3) as lane:
        with pytest.raises(BrokenError):
            list(way(failing(), bytes, weight=1, lane=lane))
        assert is_given_back(lane, 3)


@both_ways
def test_an_answer_that_nobody_wants_any_more_gives_the_budget_back(way: Way) -> None:
    with lane_of(3) as lane:
        answers = way(payloads(9), bytes, weight=1, lane=lane)
        next(answers)
        answers.close()  # type: ignore[attr-defined]  # a generator
        assert is_given_back(lane, 3)


def test_the_sign_to_stop_ends_a_wait_for_an_answer() -> None:
    stopping, never = threading.Event(), threading.Event()

    def answer(payload: bytes) -> bytes:
        stopping.set()
        never.wait(10)
        return payload

    with lane_of(5, stopping) as lane:
        with pytest.raises(TransformStopped):
            list(in_order(payloads(2), answer, weight=1, lane=lane))
        assert not never.is_set()
        never.set()


@both_ways
def test_nothing_comes_of_an_answer_after_the_sign_to_stop(way: Way) -> None:
    stopping = threading.Event()

    def answer(payload: bytes) -> bytes:
        stopping.set()
        return payload

    with lane_of(5, stopping) as lane, pytest.raises(TransformStopped):
        next(way(payloads(2), answer, weight=1, lane=lane))


@both_ways
def test_nothing_is_asked_after_the_sign_to_stop(way: Way) -> None:
    stopping, asked = threading.Event(), list[bytes]()
    stopping.set()
    with lane_of(5, stopping) as lane, pytest.raises(TransformStopped):
        list(way(payloads(2), asked.append, weight=1, lane=lane))
    assert asked == []


@both_ways
def test_the_sign_to_stop_ends_a_wait_for_budget(way: Way) -> None:
    stopping = threading.Event()
    stopping.set()
    with lane_of(1, stopping) as lane:
        lane.budget.take(1, wait=False, stopping=stopping)

        with pytest.raises(TransformStopped):
            list(way(payloads(1), bytes, weight=1, lane=lane))


def test_the_sign_to_stop_ends_a_wait_for_a_turn() -> None:
    never, asked = threading.Event(), threading.Event()

    def answer(payload: bytes) -> bytes:
        asked.set()
        never.wait(10)
        return payload

    with lane_of(5, width=1) as lane, ThreadPoolExecutor(1) as other:
        busy = other.submit(lane.ask, answer, b"first")
        assert asked.wait(10)
        threading.Timer(0.1, lane.stopping.set).start()

        with pytest.raises(TransformStopped):
            lane.ask(bytes, b"second")
        assert (lane.asking, busy.done()) == (1, False)
        never.set()
        assert isinstance(busy.exception(10), TransformStopped)
        assert lane.asking == 0
