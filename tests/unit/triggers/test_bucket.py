"""How often AWS is asked, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.triggers.bucket import RECOVERY, SLOWEST, Bucket
from tests.fake_account import most_in


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now


def bucket(time: Time, rate: float = 5.0, chance: float = 0.0) -> Bucket:
    return Bucket(rate=rate, clock=time.clock, chance=lambda: chance)


def test_a_rest_leaves_some_calls_to_be_made_at_once_and_the_others_are_spread() -> None:
    found = bucket(Time())

    assert [found.reserve() for _ in range(9)] == pytest.approx([0] * 6 + [0.2, 0.4, 0.6])


def test_jitter_makes_calls_fewer_not_more() -> None:
    waits = [bucket(Time(), chance=1.0)]

    assert [waits[0].reserve() for _ in range(8)][-2:] == pytest.approx([0.44, 0.68])


def test_calls_that_fail_together_halve_the_rate_once_and_good_ones_bring_it_back() -> None:
    time = Time()
    found = bucket(time)
    paces = []

    for _ in range(4):
        found.slow_down()
    paces.append(found.pace)
    time.now += 1
    found.slow_down()
    paces.append(found.pace)
    for _ in range(RECOVERY):
        found.recover()
    paces.append(found.pace)

    assert paces == pytest.approx([2.5, 1.25, 5.0])


def test_the_slowest_rate_is_not_none_at_all() -> None:
    time = Time()
    found = bucket(time)

    for _ in range(100):
        time.now += 1
        found.slow_down()

    assert found.pace == 5.0 * SLOWEST
    assert found.reserve() <= 1 / found.pace


def test_a_slowed_bucket_makes_no_calls_at_once() -> None:
    time = Time()
    found = bucket(time)
    found.slow_down()
    time.now += 60

    waits = [found.reserve() for _ in range(3)]

    assert waits == pytest.approx([0, 0.4, 0.8])


@given(
    rate=st.floats(0.1, 50),
    events=st.lists(st.sampled_from(["call", "call", "call", "miss", "answer", "pause", "rest"]), max_size=200),
    chance=st.floats(0, 1),
)
def test_no_window_has_more_calls_than_the_rate_allows(rate: float, events: list[str], chance: float) -> None:
    time = Time()
    found, times = bucket(time, rate, chance), list[float]()
    does: dict[str, Any] = {
        "call": lambda: times.append(time.now + found.reserve()), "miss": found.slow_down, "answer": found.recover,
        "pause": lambda: setattr(time, "now", time.now + 0.3), "rest": lambda: setattr(time, "now", time.now + 30),
    }  # fmt: skip

    for event in events:
        does[event]()

    for window in (0.5, 1.0, 10.0):
        assert most_in(times, window) <= rate * (window + 1) + 1 + 1e-6
