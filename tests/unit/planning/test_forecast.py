from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.forecast import WINDOW, Progress, forecast

START = 1_000.0


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(123, 400, 360.0), "123 of 400 objects, about 6 min left"),
        (Progress(0, 400, None), "0 of 400 objects"),
        (Progress(400, 400, 0.0), "400 of 400 objects"),
        (Progress(1, 2, 0.2), "1 of 2 objects, about 10 s left"),
        (Progress(1, 2, 44.0), "1 of 2 objects, about 40 s left"),
        (Progress(1, 2, 100.0), "1 of 2 objects, about 2 min left"),
        (Progress(1, 2, 5_000.0), "1 of 2 objects, about 83 min left"),
        (Progress(1, 2, 7_200.0), "1 of 2 objects, about 2 h left"),
        (Progress(1, 2, 100_000.0), "1 of 2 objects, about 27 h 50 min left"),
    ],
)
def test_it_reads_well(progress: Progress, text: str) -> None:
    assert str(progress) == text


@pytest.mark.parametrize(
    ("done", "seconds", "left"),
    [(0, 60, None), (0, 0, None), (1, 0, None), (25, 50, 150.0), (100, 60, 0.0), (120, 60, 0.0)],
)
def test_the_first_look_goes_by_the_start(done: int, seconds: int, left: float | None) -> None:
    assert forecast(done, 100, START, START + seconds) == Progress(done, 100, left)


def test_a_pace_that_changed_counts() -> None:
    slow = [(START + 60.0 * n, n) for n in range(1, 30)]
    fast = [(START + 1_740 + 60.0 * n, 29 + 10 * n) for n in range(1, WINDOW)]
    *samples, (now, done) = slow + fast

    left = forecast(done, 1_000, START, now, samples).seconds_left

    assert left == pytest.approx((1_000 - done) * 6)


def test_a_pause_falls_back_on_the_pace_of_the_whole() -> None:
    samples = [(START + 60.0 * n, 50) for n in range(1, 2 * WINDOW)]

    assert forecast(50, 100, START, START + 3_000, samples).seconds_left == 3_000


STEADY = st.tuples(st.integers(1, 50), st.integers(1, 120), st.integers(3, 40))


@given(STEADY)
def test_a_steady_pace_is_told_exactly(pace: tuple[int, int, int]) -> None:
    objects, seconds, looks = pace
    *samples, (now, done) = [(START + float(seconds * n), objects * n) for n in range(1, looks + 1)]

    left = forecast(done, done + 500, START, now, samples).seconds_left

    assert left == pytest.approx(500 / objects * seconds)


@given(STEADY, st.integers(0, 39), st.integers(0, 1_000))
def test_one_odd_look_moves_the_forecast_little(pace: tuple[int, int, int], which: int, odd: int) -> None:
    objects, seconds, looks = pace
    *samples, (now, done) = [(START + float(seconds * n), objects * n) for n in range(1, looks + 6)]
    samples[which % len(samples)] = (samples[which % len(samples)][0], odd)

    left = forecast(done, done + 500, START, now, samples).seconds_left

    assert left is not None
    assert 500 / objects * seconds / 2 < left < 500 / objects * seconds * 2


LOOKS = st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 100)), max_size=30)


@given(LOOKS, st.integers(0, 120), st.integers(0, 100), st.floats(0, 1e6), st.floats(0, 1e6))
def test_whatever_was_seen_a_forecast_is_no_time_before_now(
    samples: list[tuple[float, int]], done: int, total: int, started_at: float, now: float
) -> None:
    told = forecast(done, total, started_at, now, samples)

    assert (told.done, told.total) == (done, total)
    assert told.seconds_left is None or told.seconds_left >= 0
    assert (told.seconds_left == 0) == (done >= total)
    assert str(told).startswith(f"{done} of {total} objects")
