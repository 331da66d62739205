"""Which jobs are looked at next, and how."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.control.waiting import Watch
from airflow_batchtx.triggers.looks import CROWD, FEW, TOGETHER, Describe, Rest, Sweep, Waiter, next_step

EPOCH = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
NOW = 1000.0


def waiter(
    *,
    early: float = 0.0,
    due: float = 0.0,
    seen: bool = True,
    missed: bool = False,
    interval: float = 30.0,
    age: float = 0,
) -> Waiter:
    """One whose times are given from now on."""
    watch = Watch(job_name="job", interval=interval, deadline=None, clock=EPOCH.timestamp, chance=lambda: 0.5)
    end: Any = None
    created = EPOCH - timedelta(seconds=age) if seen else None
    return Waiter(watch, end, NOW + early, NOW + due, created, missed)


def many(count: int, **options: Any) -> list[Waiter]:
    return [waiter(**options) for _ in range(count)]


def step(*waiters: Waiter, next_sweep: float = -math.inf) -> Rest | Describe | Sweep:
    return next_step(waiters, NOW, next_sweep)


def test_a_few_jobs_are_described_when_they_are_due() -> None:
    due, later = waiter(early=-15, due=0), waiter(early=-1, due=14)

    assert step(due, later) == Describe((due,))
    assert step(later) == Rest(NOW + 14)


def test_those_that_wait_longest_are_described_first_and_a_few_at_a_time() -> None:
    waiters = [waiter(early=-10, due=-number) for number in range(CROWD - 1)]

    assert step(*waiters) == Describe(tuple(reversed(waiters[-TOGETHER:])))


def test_a_crowd_is_listed_before_its_jobs_are_due() -> None:
    crowd = many(CROWD, early=0, due=15)

    found = step(*crowd)

    assert isinstance(found, Sweep)
    assert found.waiters == frozenset(crowd)
    assert isinstance(step(*crowd[1:]), Rest)


def test_a_listing_takes_along_who_would_ask_for_one_soon() -> None:
    crowd, soon, fresh = many(CROWD, early=0, due=15), waiter(early=5, due=20), waiter(early=14, due=29)

    found = step(*crowd, soon, fresh)

    assert isinstance(found, Sweep)
    assert found.waiters == frozenset([*crowd, soon])


def test_between_two_listings_only_what_the_next_one_may_not_tell_is_described() -> None:
    crowd, unseen, missed = many(CROWD, early=-10, due=0), waiter(seen=False), waiter(due=-1, missed=True)

    assert step(*crowd, next_sweep=NOW + 7) == Rest(NOW + 7)
    assert step(*crowd, unseen, missed, next_sweep=NOW + 7) == Describe((missed, unseen))


def test_a_crowd_that_nobody_has_seen_yet_is_listed_at_once() -> None:
    unseen = many(CROWD, seen=False)

    found = step(*unseen, *many(50, early=-10, due=0), next_sweep=NOW + 7)

    assert isinstance(found, Sweep)
    assert found.waiters == frozenset(unseen)


def test_without_listings_a_crowd_is_described() -> None:
    crowd = many(3 * CROWD, early=-10, due=0)

    assert step(*crowd, next_sweep=math.inf) == Describe(tuple(crowd[:TOGETHER]))


def test_jobs_that_listings_miss_do_not_call_for_one() -> None:
    assert step(*many(3 * CROWD, early=-1, due=5, missed=True)) == Rest(NOW + 5)


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(0, 60), st.booleans(), st.booleans()), min_size=1, max_size=40),
    st.sampled_from([-math.inf, NOW - 1, NOW, NOW + 5, math.inf]),
)
def test_every_step_leads_on(times: list[tuple[float, float, bool, bool]], next_sweep: float) -> None:
    """Rest is never for ever nor in the past, and what is described is due."""
    waiters = [waiter(early=early, due=early + more, seen=seen, missed=missed) for early, more, seen, missed in times]

    match next_step(waiters, NOW, next_sweep):
        case Rest(until):
            assert NOW < until < math.inf
        case Describe(chosen):
            assert 0 < len(chosen) <= TOGETHER
            assert all(one.due <= NOW for one in chosen)
        case Sweep() as sweep:
            assert next_sweep < math.inf
            assert len(sweep.waiters) >= CROWD
            assert not any(one.missed for one in sweep.waiters)


# -------------------------------------------------------------------------------------------------------- one sweep


def pages(sweep: Sweep, found: Iterator[int]) -> int:
    """Go through pages on which so many of those that are left were found; gives how many pages were asked for."""
    for count in found:
        sweep.found(list(sweep.left)[:count])
        if not sweep.goes_on:
            break
    return sweep.pages


@pytest.mark.parametrize(
    ("crowd", "found", "asked"),
    [
        (10, [10], 1),
        (1000, [100] * 20, 10),
        (1000, [0] * 30 + [100] * 20, 40),  # many jobs of others are newer
        (1000, [0] * 500, 100),
        (1000, [100] * 9 + [98] + [0] * 50, 10),  # two old ones are left: describing them costs as much as a page
        (1000, [100] * 9 + [90] + [0] * 50, 12),
        (10, [0] * 10, 2),
        (1000, [1] * 500, 200),
    ],
)
def test_a_sweep_ends_where_describing_the_rest_costs_less(crowd: int, found: list[int], asked: int) -> None:
    assert pages(Sweep(frozenset(many(crowd))), iter(found)) == asked


@given(st.integers(CROWD, 300), st.lists(st.integers(0, 100), max_size=400))
def test_a_sweep_and_what_it_leaves_cost_little_more_than_describing_all(crowd: int, found: list[int]) -> None:
    sweep = Sweep(frozenset(many(crowd)))

    pages(sweep, iter(found))

    assert sweep.pages + len(sweep.left) <= crowd * 1.2 + FEW


@pytest.mark.parametrize(("found", "worthwhile"), [([10], True), ([5, 1], True), ([5, 0, 0], False), ([0, 0], False)])
def test_a_sweep_that_tells_of_few_jobs_is_not_worthwhile(found: list[int], worthwhile: bool) -> None:
    sweep = Sweep(frozenset(many(CROWD)))
    for count in found:
        sweep.found(list(sweep.left)[:count])

    assert sweep.worthwhile is worthwhile


def test_a_sweep_goes_back_to_the_oldest_job_that_it_looks_for() -> None:
    crowd = [waiter(age=age) for age in (10, 600, 40)]

    assert Sweep(frozenset(crowd)).created_after == EPOCH - timedelta(seconds=601)
    assert Sweep(frozenset([*crowd, waiter(seen=False)])).created_after is None


@pytest.mark.parametrize(("count", "rest"), [(1, 3), (3, 9), (10, 24), (20, 24)])
def test_many_pages_earn_a_long_rest_but_less_than_a_pause(count: int, rest: float) -> None:
    sweep = Sweep(frozenset(many(CROWD)), pages=count)

    assert sweep.rest() == rest


# -------------------------------------------------------------------------------------------------------- one waiter


def test_the_first_look_comes_soon_but_not_at_once() -> None:
    end: Any = None
    found = Waiter.new(waiter().watch, end, NOW)

    assert (found.early - NOW, found.due - NOW) == pytest.approx((0.2, 0.4))


def test_a_look_plans_the_next_one_by_the_age_of_the_job() -> None:
    found = waiter(missed=True)
    found.look_again(NOW, {"CreationTime": EPOCH - timedelta(seconds=40)})

    assert (found.early - NOW, found.due - NOW, found.missed) == (6, 10, False)
    assert found.created == EPOCH - timedelta(seconds=40)


def test_a_look_in_vain_does_not_forget_what_is_known() -> None:
    found = waiter(age=40, missed=True)
    found.look_again(NOW, None)

    assert (found.due - NOW, found.created, found.missed) == (45, EPOCH - timedelta(seconds=40), True)
    found.look_soon(NOW)
    assert (found.early, found.due) == (NOW, NOW)
