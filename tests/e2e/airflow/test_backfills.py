"""A month of days on a real scheduler: bounded, past a quota, done again; and a range of days in one job.

What the tests look at has happened once for all of them, in the order of the fixtures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.airflow.api import Run
from tests.e2e.airflow.flights import DAILY, RANGE, SLOTS, Flights, days_of
from tests.e2e.airflow.stage import World

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.e2e_airflow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc to find processes"),
]


@dataclass(frozen=True)
class Backfilled:
    """A backfill that is over, and what was seen of it."""

    days: tuple[str, ...]
    states: set[str]
    runs: dict[str, Run]
    tasks: list[dict[str, Any]]
    results: dict[str, dict[str, Any]]
    jobs: dict[str, str]
    refused: int
    occupied: list[int]
    rows: dict[str, int]
    ids: dict[str, list[int]]
    sources: dict[str, list[int]]


@dataclass(frozen=True)
class Ranged:
    """A run over a range of days, with the partitions and the jobs before and after it."""

    days: tuple[str, ...]
    run: Run
    state: set[str]
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    jobs: dict[str, str]
    ids: dict[str, list[int]]


@pytest.fixture(scope="module")
def flights(world: World) -> Flights:
    found = Flights(world)
    found.seed()
    return found


def seen(flights: Flights, days: tuple[str, ...], states: set[str], occupied: list[int]) -> Backfilled:
    runs = flights.runs()
    tables = {day: flights.scored(day) for day in days}
    return Backfilled(
        days=days,
        states=states,
        runs=runs,
        tasks=[task for run in runs.values() for task in flights.tasks(run)],
        results={day: flights.result(runs[day]) for day in days},
        jobs=flights.jobs(DAILY),
        refused=flights.refused(DAILY),
        occupied=list(occupied),
        rows={day: len(table) for day, table in tables.items()},
        ids={day: table["id"].to_pylist() for day, table in tables.items()},
        sources={day: [int(row["id"]) for row in flights.source(day)] for day in days},
    )


@pytest.fixture(scope="module", params=[4, pytest.param(30, marks=pytest.mark.nightly)])
def month(flights: Flights, request: pytest.FixtureRequest) -> Backfilled:
    """A number of days that nobody has scored yet."""
    if flights.runs():
        pytest.skip("these days were scored in this session: run the 30 days alone, with -m nightly")
    days = days_of(request.param)
    with flights.watched() as occupied:
        flights.backfill(days, "--max-active-runs", "8")
        states = flights.until_ended(*flights.runs().values())
    return seen(flights, days, states, occupied)


@pytest.fixture(scope="module")
def ranged(flights: Flights, month: Backfilled) -> Ranged:
    """The last two of these days in one job, with one behind them of which there are no flights."""
    last = month.days[-1]
    lost = days_of(len(month.days) + 1)[-1]
    flights.leave_out(lost)
    before = {day: flights.partition(day) for day in month.days}
    run = flights.world.stack.api.trigger(RANGE, {"from_day": month.days[-2], "to_day": lost, "missing": "skip"})
    state = flights.until_ended(run)
    after = {day: flights.partition(day) for day in month.days}
    ids = {day: flights.scored(day)["id"].to_pylist() for day in month.days}
    return Ranged((month.days[-2], last, lost), run, state, before, after, flights.jobs(RANGE), ids)


@pytest.fixture(scope="module")
def again(flights: Flights, month: Backfilled, ranged: Ranged) -> Backfilled:
    """All of these days once more, after one of them has lost a flight.

    Airflow finds out that the first backfill is over while the range is scored.
    """
    flights.lose(month.days[1], 5)
    flights.until_backfills_are_complete()
    with flights.watched() as occupied:
        flights.backfill(month.days, "--max-active-runs", "8", "--reprocess-behavior", "completed")
        states = flights.until_ended(*flights.runs().values())
    return seen(flights, month.days, states, occupied)


# -------------------------------------------------------------------------------------------------------- the first


def test_no_task_fails_though_a_quota_keeps_jobs_out(month: Backfilled) -> None:
    assert month.states == {"success"}
    assert {(task["state"], task["try_number"]) for task in month.tasks} == {("success", 1)}
    assert month.refused > 0, "the quota was never met"


def test_the_pool_bounds_what_runs_at_once(month: Backfilled) -> None:
    assert max(month.occupied) == SLOTS


def test_every_day_has_one_job_and_no_job_is_paid_twice(month: Backfilled) -> None:
    assert set(month.runs) == set(month.days)
    assert month.jobs == {result["job_name"]: "Completed" for result in month.results.values()}
    assert len(month.jobs) == len(month.days)


def test_all_flights_are_there_once(month: Backfilled) -> None:
    assert month.ids == month.sources
    assert sum(month.rows.values()) == sum(map(len, month.sources.values()))


# --------------------------------------------------------------------------------------------------------- a range


def test_a_range_of_days_is_one_job(flights: Flights, ranged: Ranged) -> None:
    first, last, lost = ranged.days
    assert ranged.state == {"success"}, flights.said(ranged.run)
    result = flights.result(ranged.run)
    assert ranged.jobs == {result["job_name"]: "Completed"}
    job = flights.world.engine.sagemaker().describe_transform_job(TransformJobName=result["job_name"])
    assert job["TransformInput"]["DataSource"]["S3DataSource"]["S3DataType"] == "ManifestFile"
    assert (result["rows"], result["objects"]) == (len(flights.source(first)) + len(flights.source(last)), 2)
    assert lost in flights.said(ranged.run), "the log tells which day was skipped"


def test_a_range_replaces_the_partitions_of_its_own_days(flights: Flights, month: Backfilled, ranged: Ranged) -> None:
    changed = {day for day in month.days if ranged.before[day] != ranged.after[day]}
    assert changed == set(ranged.days[:2])
    assert flights.partitions() == set(month.days)
    for day in changed:
        assert ranged.ids[day] == month.sources[day]
    assert flights.result(ranged.run, "associate")["tables"] == 2


def test_a_range_with_a_day_that_is_missing_is_refused(flights: Flights, ranged: Ranged) -> None:
    first, _, lost = ranged.days
    run = flights.world.stack.api.trigger(RANGE, {"from_day": first, "to_day": lost})

    assert flights.until_ended(run) == {"failed"}

    assert lost in flights.said(run)
    assert flights.jobs(RANGE) == ranged.jobs


# ------------------------------------------------------------------------------------------------------- once more


def test_only_the_day_that_changed_is_paid_for_again(month: Backfilled, again: Backfilled) -> None:
    changed = month.days[1]
    assert again.states == {"success"}
    assert {task["state"] for task in again.tasks} == {"success"}
    assert {task["try_number"] for task in again.tasks} == {2}
    added = again.jobs.keys() - month.jobs.keys()
    assert added == {again.results[changed]["job_name"]} == {month.results[changed]["job_name"] + "-2"}
    assert {day: result["job_name"] for day, result in again.results.items() if day != changed} == {
        day: result["job_name"] for day, result in month.results.items() if day != changed
    }
    assert [day for day, result in again.results.items() if not result["reused"]] == [changed]


def test_the_flight_that_went_is_gone_and_no_other(month: Backfilled, again: Backfilled) -> None:
    assert again.ids == again.sources
    assert sum(again.rows.values()) == sum(month.rows.values()) - 1
