"""One job for one piece of work, never twice, never lost, never left running: whatever happens to Airflow meanwhile.

Every scenario says how many jobs were created, how many stops were asked for, and how many jobs still run.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.airflow.api import Run
from tests.e2e.airflow.gate import Side
from tests.e2e.airflow.stack import free_port
from tests.e2e.airflow.stage import PATIENCE, TASK, Stage, Tally, World
from tests.e2e.airflow.together import Play, Scenario, Together

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.e2e_airflow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc to find processes"),
]

BOTH = ("sync", "deferrable")
# Seconds. What kubelet gives a pod, made short.
PODS_GRACE = 8
# What is played together, and what is played after that: together as well, but on a machine that is less busy.
FIRST: list[Scenario] = []
THEN: list[Scenario] = []


def scenario(*ways: str, among: list[Scenario] = FIRST) -> Callable[[Play], Play]:
    """Make a test of a function, for each of the ways of waiting."""

    def register(play: Play) -> Play:
        among.extend(Scenario(play, way) for way in ways)
        return play

    return register


# ----------------------------------------------------------------------------------------------- a worker that dies


@scenario(*BOTH)
def killed_right_after_create(stage: Stage) -> None:
    with stage.gate.hold("CreateTransformJob", stage.prefix, Side.ANSWER) as held:
        run = stage.start("patient")
        held.wait()
        stage.kill_task(run)

    adopted(stage, run)


@scenario(*BOTH)
def killed_between_intent_and_create(stage: Stage) -> None:
    with stage.gate.hold("CreateTransformJob", stage.prefix, Side.REQUEST) as held:
        run = stage.start("patient")
        held.wait()
        stage.kill_task(run)
    assert stage.tally() == Tally(created=0, stops=0, running=0)

    adopted(stage, run)


@scenario("sync")
def killed_while_waiting(stage: Stage) -> None:
    run = stage.start("patient")
    stage.waits(run)
    stage.kill_task(run)

    adopted(stage, run)


@scenario(*BOTH)
def killed_with_its_supervisor(stage: Stage) -> None:
    with stage.gate.hold("CreateTransformJob", stage.prefix, Side.ANSWER) as held:
        run = stage.start("patient")
        held.wait()
        task, supervisor = stage.worker(run)
        os.kill(supervisor, signal.SIGKILL)
        os.kill(task, signal.SIGKILL)

    adopted(stage, run)


@scenario("sync")
def evicted_with_its_pod(stage: Stage) -> None:
    run = stage.start("patient")
    stage.waits(run)
    task, supervisor = stage.worker(run)
    os.kill(supervisor, signal.SIGTERM)
    grace = time.monotonic() + PODS_GRACE
    while time.monotonic() < grace and stage.task(run).pid == task and Path(f"/proc/{task}").exists():
        time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.kill(task, signal.SIGKILL)

    adopted(stage, run)


def adopted(stage: Stage, run: Run) -> None:
    """The second try waits for the one job, which the first one has or has not created, to its end."""
    stage.waits(run, try_number=2)
    stage.release()

    stage.ends(run, "success", try_number=2)
    stage.ends_with(created=1, stops=0)
    stage.result(run, stage.jobs()[0]["TransformJobName"])


# ------------------------------------------------------------------------------------------------------ a user's clear


@scenario(*BOTH)
def cleared_while_it_waits(stage: Stage) -> None:
    run = stage.start("patient")
    stage.waits(run)
    stage.api.clear(run, [TASK])

    adopted(stage, run)


@scenario(*BOTH)
def cleared_after_success(stage: Stage) -> None:
    run = stage.start("patient")
    stage.waits(run)
    stage.release()
    stage.ends(run, "success")
    before = stage.api.xcom(run, TASK)

    stage.api.clear(run, [TASK])

    stage.ends(run, "success", try_number=2)
    stage.ends_with(created=1, stops=0)
    stage.result(run, before["job_name"])


@scenario(*BOTH)
def cleared_after_failure(stage: Stage) -> None:
    stage.reply = (500, b"no model is loaded")
    run = stage.start("once")
    stage.waits(run)
    stage.release()
    stage.ends(run, "failed")
    stage.ends_with(created=1, stops=0)

    stage.reply = None
    stage.hold()
    stage.api.clear(run, [TASK])
    stage.waits(run, try_number=2)
    stage.release()

    stage.ends(run, "success", try_number=2)
    stage.ends_with(created=2, stops=0)
    stage.result(run, max(job["TransformJobName"] for job in stage.jobs()))


# ----------------------------------------------------------------------------------------------------- a user's end


@scenario(*BOTH)
def marked_failed(stage: Stage) -> None:
    run = stage.start("patient")
    stage.waits(run)
    stage.api.mark_failed(run, TASK)

    stage.ends(run, "failed")
    stage.ends_with(created=1, stops=1)


@scenario("deferrable")
def run_of_fifty_failed(stage: Stage) -> None:
    """Fifty tasks of one run start at once; then one of them is marked failed, then the run, while stops are scarce."""
    run_of_many(stage, 50)


def run_of_many(stage: Stage, many: int) -> None:
    patience = PATIENCE * many / 50
    run = stage.start("mapped", jobs=[stage.idle_request(f"{index}/") for index in range(many)])
    stage.until(lambda: waiting(stage, run, many), f"{many} tasks to wait", shows=stage.tally, patience=patience)
    jobs = {index: stage.api.xcom(run, TASK, "job_name", index) for index in range(many)}
    assert len(set(jobs.values())) == many
    stage.ends_with(created=many, stops=0, running=many)

    stage.api.mark_failed(run, TASK, 7)
    stage.ends_with(created=many, stops=1, running=many - 1)
    assert dict(stage.gate.calls("StopTransformJob", stage.prefix)) == {jobs[7]: 1}

    with stage.gate.throttle("StopTransformJob", stage.prefix, rate=10, burst=20) as throttle:
        stage.api.fail_run(run)
        stage.ends_with(created=many, stops=many, patience=patience)
    assert throttle.refused == 0, "they were asked for all at once"
    assert set(stage.gate.calls("StopTransformJob", stage.prefix).values()) == {1}
    assert {task.state for task in stage.api.tasks(run, TASK)} == {"failed"}


def waiting(stage: Stage, run: Run, many: int) -> bool:
    tasks = stage.api.tasks(run, TASK)
    return len(tasks) == many and all(task.state == "deferred" and stage.triggers(run, task) for task in tasks)


# ------------------------------------------------------------------------------------------------------- input, time


@scenario(*BOTH)
def object_added_between_two_tries(stage: Stage) -> None:
    with stage.gate.hold("CreateTransformJob", stage.prefix, Side.ANSWER) as held:
        run = stage.start("patient")
        held.wait()
        stage.until(stage.entered.is_set, "the job to run")
        stage.desk.put_at("in/late.csv", "5,6\n")
        stage.kill_task(run)

    adopted(stage, run)
    assert stage.said(run, "late.csv")


@scenario("sensor_poke", "sensor_reschedule", "sensor_deferrable")
def sensor_that_stops_at_its_timeout(stage: Stage) -> None:
    run = stage.start("stopping", job_name=stage.desk.start(stage.model, TransformJobName=stage.prefix))

    stage.ends(run, "failed")
    stage.ends_with(created=1, stops=1)


@scenario("sensor_poke", "sensor_deferrable")
def sensor_that_leaves_at_its_timeout(stage: Stage) -> None:
    run = stage.start("leaving", job_name=stage.desk.start(stage.model, TransformJobName=stage.prefix))

    stage.ends(run, "failed")
    stage.ends_with(created=1, stops=0, running=1)
    stage.release()
    stage.ends_with(created=1, stops=0)


# ---------------------------------------------------------------------------- where seconds, or SQLite's locks, count


@scenario(*BOTH, among=THEN)
def execution_timeout(stage: Stage) -> None:
    run = stage.start("timed")

    stage.ends(run, "failed")
    stage.ends_with(created=1, stops=1)


@scenario(*BOTH, among=THEN)
def max_runtime(stage: Stage) -> None:
    run = stage.start("bounded")

    stage.ends(run, "failed")
    stage.ends_with(created=1, stops=1)


@scenario(*BOTH, among=THEN)
def backfilled_again(stage: Stage) -> None:
    """Three days that are over, then a backfill that has them all done again."""
    days = [datetime(2026, 1, day, tzinfo=timezone.utc) for day in (5, 6, 7)]
    conf = {"jobs": {f"{day:%Y-%m-%d}": stage.request(f"{day:%Y-%m-%d}/") for day in days}}
    runs = [stage.start_day("daily", day, **conf) for day in days]
    for run in runs:
        stage.waits(run)
    stage.release()
    for run in runs:
        stage.ends(run, "success")
    results = [stage.api.xcom(run, TASK) for run in runs]

    stack = stage.world.stack
    # On SQLite, Airflow deletes the runs where anybody else writes meanwhile.
    with stack.frozen(*(part for name, part in stack.parts.items() if name != "core-api")):
        stage.api.backfill(runs[0].dag_id, days[0], days[-1], conf, "completed")

    for run, result in zip(runs, results, strict=True):
        stage.until(partial(_in_try, 2, stage, run), "the backfill to do it again")
        stage.ends(run, "success", try_number=2)
        stage.result(run, result["job_name"])
    stage.ends_with(created=3, stops=0)


def _in_try(number: int, stage: Stage, run: Run) -> bool:
    return stage.task(run).try_number == number


# -------------------------------------------------------------------------------------------------------- the playing


@pytest.fixture(scope="module")
def together(world: World) -> Iterator[Together]:
    together = Together(world)
    yield together
    together.close()


def chosen(request: pytest.FixtureRequest, among: list[Scenario]) -> list[Scenario]:
    """Those scenarios that this session is to test."""
    found = [getattr(item, "callspec", None) for item in request.session.items]
    return [scenario for scenario in among if any(spec and scenario in spec.params.values() for spec in found)]


@pytest.fixture(scope="module")
def first(together: Together, request: pytest.FixtureRequest) -> Together:
    together.begin(chosen(request, FIRST))
    return together


@pytest.fixture(scope="module")
def then(together: Together, request: pytest.FixtureRequest) -> Together:
    together.until_all_are_over()
    together.begin(chosen(request, THEN))
    return together


@pytest.mark.parametrize("scenario", FIRST, ids=str)
def test_in_company(scenario: Scenario, first: Together) -> None:
    first.outcome(scenario)


@pytest.mark.parametrize("scenario", THEN, ids=str)
def test_in_small_company(scenario: Scenario, then: Together) -> None:
    then.outcome(scenario)


# ----------------------------------------------------------------------------- what would disturb others, one by one


@pytest.fixture
def alone(together: Together) -> Callable[[Play], None]:
    """Play something once all that is played together is over."""
    together.until_all_are_over()
    return lambda play: together.play(Scenario(play, "deferrable"))


def test_a_triggerer_that_is_killed(alone: Callable[[Play], None]) -> None:
    def play(stage: Stage) -> None:
        triggerer = stage.world.stack.parts["triggerer"]
        run = stage.start("patient")
        before = stage.waits(run).triggerer
        triggerer.kill()
        triggerer.start()
        stage.until(lambda: stage.task(run).triggerer != before, "another triggerer to take over")
        stage.until(lambda: stage.triggers(run, stage.task(run)) == 2, "the trigger to begin again")
        stage.release()

        stage.ends(run, "success")
        stage.ends_with(created=1, stops=0)
        stage.result(run, stage.jobs()[0]["TransformJobName"])

    alone(play)


def test_a_triggerer_that_is_taken_for_dead(alone: Callable[[Play], None]) -> None:
    """Airflow kills the triggers of a triggerer that comes back, although another one runs them now."""

    def play(stage: Stage) -> None:
        stack = stage.world.stack
        run = stage.start("patient")
        before = stage.waits(run).triggerer
        first = stack.parts["triggerer"]
        with stack.frozen(first):
            port = str(free_port())
            second = stack.add("second-triggerer", "triggerer", AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=port)
            stage.until(lambda: stage.task(run).triggerer != before, "another triggerer to take over")
            stage.until(lambda: stage.triggers(run, stage.task(run)) == 2, "the trigger to begin again")
        stage.until(lambda: stage.said(run, "trigger completed"), "the first one's trigger to be killed")
        stage.release()

        stage.ends(run, "success")
        stage.ends_with(created=1, stops=0)
        stage.result(run, stage.jobs()[0]["TransformJobName"])
        second.kill()
        del stack.parts[second.name]

    alone(play)


@pytest.mark.nightly
def test_a_deferral_that_airflow_ends(alone: Callable[[Play], None]) -> None:
    """No triggerer is there to see that the job has run too long: Airflow itself ends the deferral, minutes later."""

    def play(stage: Stage) -> None:
        run = stage.start("bounded")
        stage.waits(run)
        with stage.world.stack.frozen(stage.world.stack.parts["triggerer"]):
            stage.ends(run, "failed")
            stage.ends_with(created=1, stops=1)
        stage.until(lambda: stage.said(run, "trigger completed"), "the trigger to be killed")
        stage.ends_with(created=1, stops=1)

    alone(play)


@pytest.mark.nightly
def test_a_run_of_two_hundred_failed(alone: Callable[[Play], None]) -> None:
    def play(stage: Stage) -> None:
        run_of_many(stage, 200)

    alone(play)


def test_nothing_has_happened_since(world: World, together: Together) -> None:
    together.until_all_are_over()

    for scenario, stage in together.stages.items():
        assert stage.expected in (None, stage.tally()), scenario
    # No call has gone past the gate.
    counted = httpx.get(f"{world.engine.url}/calls", trust_env=False).json()["us-east-1"]
    assert counted.get("StopTransformJob", 0) == world.gate.calls("StopTransformJob", "").total()
