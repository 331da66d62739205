"""When a job is looked at again, and what its end means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.control.waiting import Watch, ended, named, read_interval, waited
from airflow_batchtx.errors import InvalidInput, JobTimedOut
from tests.fake_sagemaker import CREATED

NOW = CREATED.timestamp()
RUNNING = {"TransformJobStatus": "InProgress", "CreationTime": CREATED}


def watch(now: float = NOW, *, interval: float = 30, deadline: float | None = None, chance: float = 0.5) -> Watch:
    return Watch(job_name="nightly", interval=interval, deadline=deadline, clock=lambda: now, chance=lambda: chance)


def test_an_interval_is_a_number_of_seconds_or_a_time_span() -> None:
    assert [read_interval(value) for value in (30, "60.0", timedelta(minutes=2))] == [30.0, 60.0, 120.0]


@pytest.mark.parametrize("value", [0, -1, "0", "often", None, float("nan")])
def test_an_interval_that_would_ask_without_a_pause_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as error:
        read_interval(value)

    [problem] = error.value.problems
    assert (problem.field, problem.rule) == ("poll_interval", "must be a number above 0")


@pytest.mark.parametrize(("age", "pause"), [(0, 1), (4, 1), (40, 10), (120, 30), (7200, 30), (-5, 1)])
def test_a_young_job_is_looked_at_more_often(age: float, pause: float) -> None:
    assert watch(NOW + age).pause(RUNNING) == pytest.approx(pause)


def test_jitter_spreads_the_looks_by_a_tenth() -> None:
    assert [watch(NOW + 900, chance=chance).pause(RUNNING) for chance in (0, 1)] == pytest.approx([27, 33])


def test_failed_looks_double_the_pause_up_to_five_minutes_and_a_good_one_forgives() -> None:
    patient = watch(NOW + 900, chance=1)

    pauses = [patient.pause(seen) for seen in (None, None, None, None, None, RUNNING, None)]

    assert pauses == pytest.approx([60, 120, 240, 300, 300, 33, 60])


def test_a_pause_never_passes_the_deadline() -> None:
    assert watch(NOW + 900, deadline=NOW + 907).pause(RUNNING) == 7
    assert watch(NOW + 900, deadline=NOW + 907).pause(None) == 7


@pytest.mark.parametrize("seen", [RUNNING, None])
def test_at_the_deadline_the_wait_is_over(seen: dict[str, Any] | None) -> None:
    with pytest.raises(JobTimedOut) as caught:
        watch(NOW + 900, deadline=NOW + 900).pause(seen)

    assert caught.value.job_name == "nightly"


@given(
    looks=st.lists(st.booleans(), max_size=200),
    chance=st.floats(0, 1),
    interval=st.floats(0.01, 600),
    age=st.floats(-100, 1e6),
)
def test_a_pause_is_positive_and_bounded(looks: list[bool], chance: float, interval: float, age: float) -> None:
    patient = watch(NOW + age, interval=interval, chance=chance)

    for good in looks:
        assert 0 < patient.pause(RUNNING if good else None) <= max(300, interval * 1.1)


@pytest.mark.parametrize(
    ("status", "over"),
    [("InProgress", False), ("Stopping", False), ("Completed", True), ("Failed", True), ("Stopped", True)],
)
def test_ended(status: str, over: bool) -> None:
    assert ended({"TransformJobStatus": status}) is over


def test_a_failed_look_is_no_end() -> None:
    assert not ended(None)


def test_every_look_that_finds_a_job_running_is_reported_and_none_ends_the_wait() -> None:
    ended_job = {**RUNNING, "TransformJobStatus": "Completed"}
    looks, reported, naps = iter([RUNNING, None, RUNNING, ended_job]), list[Any](), list[float]()

    found = waited(lambda: next(looks), watch(NOW + 900), sleep=naps.append, report=reported.append)

    assert found is ended_job
    assert reported == [RUNNING, None, RUNNING]
    assert len(naps) == 3


def test_a_job_is_looked_at_once_even_where_its_time_is_over() -> None:
    ended_job = {**RUNNING, "TransformJobStatus": "Failed"}

    assert waited(lambda: ended_job, watch(NOW + 900, deadline=NOW), sleep=lambda _: None) is ended_job


def test_a_job_is_named_by_its_name_or_by_its_result() -> None:
    assert named("nightly") == named({"job_name": "nightly", "status": "Completed"}) == "nightly"


@pytest.mark.parametrize("job", [None, "", {}, {"job_name": ""}, {"job_name": None}, ["nightly"], 7])
def test_what_names_no_job_is_refused(job: object) -> None:
    with pytest.raises(InvalidInput):
        named(job)
