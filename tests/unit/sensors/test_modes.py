"""The sensor's options and bounds, which mean the same in every mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout, TaskDeferred

from airflow_batchtx.errors import JobAlgorithmError, JobClientError, JobRefused, JobTimedOut, WaitInterrupted
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.sensors.batch_transform import BatchTransformSensor, SensorTimedOut
from tests.fake_airflow import FakeTaskInstance, run
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST, refusal

MODES: Mapping[str, Mapping[str, Any]] = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
}
SECOND = timedelta(seconds=1)

every_mode = pytest.mark.parametrize("mode", MODES)


def sensor(mode: str, job_name: Any = "nightly", **options: Any) -> BatchTransformSensor:
    options = {"poke_interval": 0.01, "timeout": 30, **MODES[mode], **options}
    return BatchTransformSensor(task_id="wait", job_name=job_name, **options)


def waited_for(*life: str, reason: str = "") -> World:
    """A world with one job."""
    world = World(life=life, reason=reason)
    world.batch.add("nightly", life)
    return world


def stops(world: World) -> list[str]:
    return world.batch.names("StopTransformJob")


# ------------------------------------------------------------------------------------------------ what is excused


@every_mode
@pytest.mark.parametrize("life", [["Failed"], ["InProgress", "Failed"], ["Stopped"]])
def test_never_fail_skips_after_a_failure_whenever_it_is_seen(mode: str, life: list[str]) -> None:
    with pytest.raises(AirflowSkipException):
        run(sensor(mode, never_fail=True), waited_for(*life, reason="ClientError: no"))


@every_mode
@pytest.mark.parametrize("option", ["never_fail", "soft_fail"])
def test_a_timeout_is_excused_and_stops_the_job_where_that_is_wanted(mode: str, option: str) -> None:
    world = waited_for("InProgress")
    with pytest.raises(AirflowSkipException):
        run(sensor(mode, timeout=0.02, stop_on_timeout=True, **{option: True}), world)

    assert stops(world) == ["nightly"]


@every_mode
def test_soft_fail_excuses_no_failure(mode: str) -> None:
    with pytest.raises(JobClientError):
        run(sensor(mode, soft_fail=True), waited_for("Failed", reason="ClientError: no"))


@every_mode
@pytest.mark.parametrize("life", [["Failed"], ["InProgress", "Failed"]])
def test_silent_fail_passes_over_no_job_that_failed(mode: str, life: list[str]) -> None:
    with pytest.raises(JobClientError):
        run(sensor(mode, silent_fail=True, timeout=1), waited_for(*life, reason="ClientError: no"))


@pytest.mark.parametrize("silent", [False, True])
def test_silent_fail_passes_over_a_look_that_fails(silent: bool) -> None:
    world = waited_for("Completed")
    world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "AccessDeniedException")]
    task = sensor("poke", silent_fail=silent)

    if silent:
        assert run(task, world)["status"] == "Completed"
    else:
        with pytest.raises(JobRefused):
            run(task, world)


def test_a_kill_is_no_failure_to_be_excused() -> None:
    world = waited_for("InProgress")
    task = sensor("deferrable", never_fail=True)
    task.on_kill()
    task.services = replace(world.services, sleep=task._nap)

    with pytest.raises(WaitInterrupted) as caught:
        task.execute_complete({}, {"job_name": "nightly", "status": "Unknown"})  # type: ignore[arg-type]
    assert caught.value.job_name == "nightly"


# ------------------------------------------------------------------------------------------------ the try's own end


def deferral(task: BatchTransformSensor, world: World, ti: FakeTaskInstance) -> tuple[float, Any]:
    """The deadline of the trigger that a task is deferred for, and the seconds after which Airflow gives it up."""
    task.services = world.services
    with pytest.raises(TaskDeferred) as caught:
        task.execute({"ti": ti})  # type: ignore[arg-type]
    return caught.value.trigger.arguments["deadline"], caught.value.timeout


@pytest.mark.parametrize(("timeout", "execution", "bound"), [(7200, 3600, 3600 - 60), (1800, 3600, 1800), (9, None, 9)])
def test_a_deferral_ends_with_the_first_of_its_bounds(timeout: float, execution: float | None, bound: float) -> None:
    world = waited_for("InProgress")
    ti = FakeTaskInstance(started=datetime.fromtimestamp(world.now - 60, timezone.utc))
    limit = timedelta(seconds=execution) if execution else None

    deadline, given_up = deferral(sensor("deferrable", timeout=timeout, execution_timeout=limit), world, ti)

    assert deadline == pytest.approx(world.now + bound)
    seconds = given_up.total_seconds() if isinstance(given_up, timedelta) else given_up
    assert bound < seconds < bound + 600


@pytest.mark.parametrize("stop", [False, True])
def test_the_end_of_a_try_in_a_triggerer_may_be_tried_again(stop: bool) -> None:
    world = waited_for("InProgress")
    ti = FakeTaskInstance(started=datetime.now(timezone.utc) - 5 * SECOND)
    with pytest.raises(JobTimedOut) as caught:
        run(sensor("deferrable", execution_timeout=SECOND, stop_on_timeout=stop), world, ti)

    # Airflow ends a task for good after the timeout of a sensor.
    assert not isinstance(caught.value, SensorTimedOut)
    assert caught.value.stopped is stop
    assert stops(world) == ["nightly"] * stop


@pytest.mark.parametrize("options", [{"stop_on_timeout": True}, {}, {"stop_on_timeout": True, "soft_fail": True}])
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_the_end_of_a_try_on_a_worker(mode: str, options: dict[str, bool]) -> None:
    world = waited_for("InProgress")

    def out_of_time(**_: Any) -> dict[str, Any]:
        raise AirflowTaskTimeout("Timeout")

    world.batch.describe_transform_job = out_of_time  # type: ignore[method-assign]
    with pytest.raises(AirflowSkipException if options.get("soft_fail") else AirflowTaskTimeout):
        run(sensor(mode, **options), world)

    assert stops(world) == ["nightly"] * ("stop_on_timeout" in options)


@pytest.mark.parametrize(("execution", "kind"), [(None, SensorTimedOut), (SECOND, JobTimedOut)])
def test_a_deferral_that_airflow_has_given_up(execution: timedelta | None, kind: type[Exception]) -> None:
    world = waited_for("InProgress")
    task = sensor("deferrable", execution_timeout=execution, stop_on_timeout=True)
    task.services = world.services

    with pytest.raises(JobTimedOut) as caught:
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, {})  # type: ignore[arg-type]

    assert type(caught.value) is kind
    assert stops(world) == ["nightly"]


@pytest.mark.parametrize("options", [{}, {"soft_fail": True}, {"never_fail": True}])
def test_a_trigger_that_broke_leaves_the_wait_to_the_worker(options: dict[str, bool]) -> None:
    world = waited_for("InProgress", "InProgress", "Completed")
    task = sensor("deferrable", **options)
    task.services = world.services

    made = task.resume_execution("__fail__", {"error": "Trigger failure"}, {})  # type: ignore[arg-type]

    assert made["status"] == "Completed"


# ---------------------------------------------------------------------------------------------------- what is proved


@every_mode
def test_a_reused_job_that_failed_counts_by_its_outputs(mode: str) -> None:
    world = World(life=["InProgress", "Failed"], reason="AlgorithmError: after the last object")
    score = {"task_id": "score", "job": REQUEST, "deferrable": False, "poll_interval": 0.01}
    with pytest.raises(JobAlgorithmError):
        run(BatchTransformOperator(**score), world)
    started = run(BatchTransformOperator(**score, wait_for_completion=False), world)

    made = run(sensor(mode, started), world)

    assert (made["reused"], made["objects_done"]) == (True, 3)
    with pytest.raises(JobAlgorithmError):
        run(sensor(mode, started["job_name"]), world)


@every_mode
@pytest.mark.parametrize(
    ("output", "proved"),
    [
        ("https://s3.us-east-1.amazonaws.com/b/out/", 3),
        ("https://b.s3.us-east-1.amazonaws.com/out/", None),  # where its control folder is, is not guessed at
    ],
)
def test_a_job_whose_output_is_an_https_url(mode: str, output: str, proved: int | None) -> None:
    world = World()
    name = run(BatchTransformOperator(task_id="score", job=REQUEST, deferrable=False, poll_interval=0.01), world)[
        "job_name"
    ]
    world.batch.jobs[name]["TransformOutput"] = {"S3OutputPath": output}

    assert run(sensor(mode, name), world)["objects_done"] == proved
