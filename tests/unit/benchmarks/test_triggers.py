"""What the measurement of triggers is made of."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.jobs_server import LONGEST, QUIET, Jobs
from benchmarks.report import shown
from benchmarks.triggers import Run, compared, throttled


class Time:
    now = 1000.0


@pytest.fixture
def time() -> Time:
    return Time()


def begun(ends: list[float], rate: float | None, time: Time) -> Jobs:
    jobs = Jobs(ends, rate, lambda: time.now)
    jobs.begun = time.now
    return jobs


def status(jobs: Jobs, number: int) -> str:
    code, told = jobs.answer("DescribeTransformJob", {"TransformJobName": f"job-{number}"})
    assert code == 200
    return str(told["TransformJobStatus"])


def test_jobs_end_after_a_quiet_minute_that_begins_once_each_was_looked_at(time: Time) -> None:
    jobs = begun([5.0, 20.0], None, time)

    assert [status(jobs, 0), status(jobs, 1)] == ["InProgress"] * 2
    time.now += QUIET + 6
    assert [status(jobs, 0), status(jobs, 1)] == ["Completed", "InProgress"]
    assert jobs.told() | {"ends": None} == {
        "calls": 4, "throttled": 0, "all_seen": 0.0, "quiet_calls": 2, "ends": None,
    }  # fmt: skip


def test_jobs_end_all_the_same_where_some_are_never_looked_at(time: Time) -> None:
    jobs = begun([0.0, 0.0], None, time)
    time.now += LONGEST + 1
    status(jobs, 0)
    time.now += QUIET + 1

    assert status(jobs, 0) == "Completed"
    assert jobs.told()["all_seen"] is None


def test_a_listing_gives_the_newest_jobs_a_page_at_a_time(time: Time) -> None:
    jobs = begun([0.0] * 150, None, time)

    _, first = jobs.answer("ListTransformJobs", {"MaxResults": 100})
    _, last = jobs.answer("ListTransformJobs", {"MaxResults": 100, "NextToken": first["NextToken"]})
    _, newest = jobs.answer("ListTransformJobs", {"MaxResults": 100, "CreationTimeAfter": jobs.created(147)})

    names = [job["TransformJobName"] for page in (first, last) for job in page["TransformJobSummaries"]]
    assert names == [f"job-{number}" for number in reversed(range(150))]
    assert "NextToken" not in last
    assert len(newest["TransformJobSummaries"]) == 2


def test_a_rate_is_kept(time: Time) -> None:
    jobs = begun([0.0], 2.0, time)

    codes = [jobs.answer("DescribeTransformJob", {"TransformJobName": "job-0"})[0] for _ in range(4)]
    time.now += 1
    codes += [jobs.answer("DescribeTransformJob", {"TransformJobName": "job-0"})[0] for _ in range(3)]

    assert codes == [200, 200, 400, 400, 200, 200, 400]


def run(**options: Any) -> Run:
    figures = {
        "tasks": 1000, "fired": 1000, "memory": 30.0, "stall": 0.05, "collected": 0.04, "seconds": 150.0,
        "calls": 70, "throttled": 0, "all_seen": 2.0, "per_minute": 25.0, "delays": [8.0, 12.0, 20.0],
    }  # fmt: skip
    return Run(**{**figures, **options})


def verdicts(table: Any) -> dict[str, str]:
    return {row[0]: row[-1] for row in table.rows if row[-1]}


def test_figures_are_compared_with_the_goals_and_with_the_peer() -> None:
    theirs = run(memory=1800.0, stall=40.0, calls=8000, delays=[15.0])

    assert set(verdicts(compared(run(), theirs)).values()) == {"met"}
    assert verdicts(compared(run(memory=41.0, stall=0.3, calls=800, delays=[16.0]), theirs)) == {
        "memory added, MB": f"missed by {shown(1.0)}",
        "worst stall of the event loop, ms": f"missed by {shown(100.0)}",
        "times fewer calls": f"missed by {shown(10.0)}",
        "median no later": f"missed by {shown(1.0)}",
    }


def test_without_the_peer_the_goals_are_those_that_need_none() -> None:
    assert set(verdicts(compared(run(), None))) == {"memory added, MB", "worst stall of the event loop, ms"}


def test_throttled_means_that_every_task_gets_its_event() -> None:
    assert verdicts(throttled(run())) == {"events": "met"}
    assert verdicts(throttled(run(fired=990))) == {"events": f"missed by {shown(10.0)}"}
