from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.engine.window import Budget, Lane, in_order
from airflow_batchtx.errors import TransformStopped


class BrokenError(Exception):
    pass


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def lane_of(pool: ThreadPoolExecutor, budget: int, stopping: threading.Event | None = None) -> Lane:
    return Lane(pool, 4, Budget(budget), stopping or threading.Event())


def payloads(count: int) -> Iterator[bytes]:
    return (b"%d" % index for index in range(count))


@given(count=st.integers(0, 30), budget=st.integers(1, 50), weight=st.integers(0, 60))
def test_answers_come_in_order_and_the_budget_comes_back(count: int, budget: int, weight: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        lane = lane_of(pool, budget)

        answers = list(in_order(payloads(count), lambda payload: payload * 2, weight=weight, lane=lane))

        assert answers == [b"%d" % index * 2 for index in range(count)]
        assert lane.budget.take(budget, wait=False, stopping=lane.stopping)


def test_requests_overlap(pool: ThreadPoolExecutor) -> None:
    together = threading.Barrier(4, timeout=10)

    def answer(payload: bytes) -> bytes:
        together.wait()  # breaks unless four requests are in flight at once
        return payload

    assert len(list(in_order(payloads(8), answer, weight=1, lane=lane_of(pool, 5)))) == 8


def test_no_more_payloads_are_held_than_the_budget_allows(pool: ThreadPoolExecutor) -> None:
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for payload in payloads(20):
            taken += 1
            yield payload

    for written, _ in enumerate(in_order(counted(), bytes, weight=1, lane=lane_of(pool, 3))):
        assert taken <= written + 3


def test_streams_that_share_a_budget_never_wait_for_each_other(pool: ThreadPoolExecutor) -> None:
    lane = lane_of(pool, 3)
    with ThreadPoolExecutor(6) as streams:
        counts = streams.map(lambda _: len(list(in_order(payloads(50), bytes, weight=1, lane=lane))), range(6))

        assert list(counts) == [50] * 6


def test_a_failed_request_raises_and_gives_the_budget_back(pool: ThreadPoolExecutor) -> None:
    lane = lane_of(pool, 3)

    def answer(payload: bytes) -> bytes:
        if payload == b"1":
            raise BrokenError
        return payload

    answers = in_order(payloads(9), answer, weight=1, lane=lane)
    assert next(answers) == b"0"
    with pytest.raises(BrokenError):
        list(answers)
    pool.shutdown()
    assert lane.budget.take(3, wait=False, stopping=lane.stopping)


def test_a_source_that_fails_gives_the_budget_back(pool: ThreadPoolExecutor) -> None:
    lane = lane_of(pool, 3)

    def failing() -> Iterator[bytes]:
        yield b"x"
        raise BrokenError

    with pytest.raises(BrokenError):
        list(in_order(failing(), bytes, weight=1, lane=lane))
    pool.shutdown()
    assert lane.budget.take(3, wait=False, stopping=lane.stopping)


def test_the_sign_to_stop_ends_a_wait_for_an_answer(pool: ThreadPoolExecutor) -> None:
    stopping, never = threading.Event(), threading.Event()

    def answer(payload: bytes) -> bytes:
        stopping.set()
        never.wait(10)
        return payload

    with pytest.raises(TransformStopped):
        list(in_order(payloads(2), answer, weight=1, lane=lane_of(pool, 5, stopping)))
    assert not never.is_set()
    never.set()


def test_the_sign_to_stop_ends_a_wait_for_budget(pool: ThreadPoolExecutor) -> None:
    stopping = threading.Event()
    stopping.set()
    lane = lane_of(pool, 1, stopping)
    lane.budget.take(1, wait=False, stopping=stopping)

    with pytest.raises(TransformStopped):
        list(in_order(payloads(1), bytes, weight=1, lane=lane))
