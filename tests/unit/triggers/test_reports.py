"""What is told while a trigger waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from airflow_batchtx.control.services import Services
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.triggers.reports import AT_ONCE, JobReport, interval, told
from tests.fake_sagemaker import refusal
from tests.virtual_time import VirtualLoop, run_in_no_time


def lines(
    *reports: Callable[[], Iterable[str]], seconds: float = 12, pause: float = 5, at_end: bool = True
) -> list[str]:
    """All that is told until so many seconds have passed."""

    async def work(loop: VirtualLoop) -> list[str]:
        end = asyncio.ensure_future(asyncio.sleep(seconds))
        return [line async for line in told(end, reports, pause, at_end=at_end)]

    return run_in_no_time(work)


def counted(name: str) -> Callable[[], Iterable[str]]:
    numbers = iter(range(100))
    return lambda: (f"{name} {next(numbers)}" for _ in range(1))


def test_each_report_is_asked_at_each_interval_and_at_the_end() -> None:
    assert lines(counted("a"), counted("b")) == ["a 0", "b 0", "a 1", "b 1", "a 2", "b 2"]


def test_nothing_to_report_ends_at_once() -> None:
    assert lines() == []


def test_a_wait_that_is_over_is_reported_once() -> None:
    assert lines(counted("a"), seconds=0) == ["a 0"]


def test_how_far_a_job_was_is_not_asked_once_it_has_ended() -> None:
    assert lines(counted("a"), at_end=False) == ["a 0", "a 1"]
    assert lines(counted("a"), at_end=False, seconds=0) == []


def test_a_report_that_fails_says_so_and_is_left_alone() -> None:
    def failing() -> Iterable[str]:
        yield "before"
        raise LookupError("no bucket")

    assert lines(failing, counted("b")) == ["Nothing more can be told of the job: no bucket", "b 0", "b 1", "b 2"]


def test_others_have_their_turns_while_many_lines_are_told() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def work(_: VirtualLoop) -> int:
        busy = asyncio.ensure_future(others())
        end = asyncio.get_running_loop().create_future()
        end.set_result(None)
        first = 0
        async for line in told(end, [lambda: map(str, range(10 * AT_ONCE))], 5, at_end=True):
            first = first or turns
            last = line
        assert (last, busy.done()) == (str(10 * AT_ONCE - 1), False)
        return turns - first

    assert run_in_no_time(work) >= 9


class Cloud:
    """CloudWatch with one line, or with none to be had."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def describe_log_streams(self, **_: Any) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return {"logStreams": [{"logStreamName": "nightly/i-1"}]}

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        events = [] if "nextToken" in request else [{"timestamp": 0, "message": "Loading the model"}]
        return {"events": events, "nextForwardToken": "end"}


def services(cloud: Cloud) -> Services:
    logs: Any = JobLogs(cloud)
    nothing: Any = None
    return Services(jobs=nothing, models=nothing, logs=logs, store=nothing, clock=lambda: 0.0, sleep=lambda _: None)


def test_a_jobs_log_is_told_line_by_line() -> None:
    made = []

    def make() -> Services:
        made.append(1)
        return services(Cloud())

    assert lines(JobReport(make, "nightly", logs=True)) == ["[i-1] Loading the model"]
    assert len(made) == 1


def test_a_log_that_may_not_be_read_is_told_once() -> None:
    (told_once,) = lines(
        JobReport(lambda: services(Cloud(refusal("DescribeLogStreams", "AccessDeniedException"))), "nightly", logs=True)
    )

    assert "logs" in told_once


def test_the_more_logs_are_followed_the_longer_are_the_pauses() -> None:
    before = interval(logs=True)
    reports = [JobReport(lambda: services(Cloud()), "nightly", logs=True) for _ in range(100)]

    assert interval(logs=True) == pytest.approx(before + 20)
    del reports
    assert interval(logs=True) == pytest.approx(before)
