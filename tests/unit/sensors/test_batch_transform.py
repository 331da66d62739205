"""The sensor, and that every way of waiting ends alike."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_batchtx.errors import (
    JobAlgorithmError,
    JobCapacityError,
    JobClientError,
    JobFailed,
    JobInternalServerError,
    JobNotFound,
    JobStopped,
    JobTimedOut,
)
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.sensors.batch_transform import BatchTransformSensor, SensorTimedOut
from tests.fake_airflow import run
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST, refusal


def sensor(job_name: Any = "nightly", **options: Any) -> BatchTransformSensor:
    options = {"poke_interval": 0.01, "timeout": 30, "deferrable": False, **options}
    return BatchTransformSensor(task_id="wait", job_name=job_name, **options)


def operated(world: World, timeout: float, **options: Any) -> Any:
    task = BatchTransformOperator(task_id="score", job=REQUEST, poll_interval=0.01, max_runtime=timeout, **options)
    return run(task, world)


def sensed(world: World, timeout: float, **options: Any) -> Any:
    world.batch.add("nightly", world.batch.life)
    return run(sensor(timeout=timeout, **options), world)


WAYS: dict[str, Callable[[World, float], Any]] = {
    "operator": lambda world, timeout: operated(world, timeout, deferrable=False),
    "deferred operator": lambda world, timeout: operated(world, timeout, deferrable=True),
    "poking sensor": sensed,
    "rescheduled sensor": lambda world, timeout: sensed(world, timeout, mode="reschedule"),
    "deferred sensor": lambda world, timeout: sensed(world, timeout, deferrable=True),
}

ENDS: list[tuple[Sequence[str], str, type[Exception]]] = [
    (["InProgress", "Stopping", "Stopped"], "", JobStopped),
    (["InProgress", "Failed"], "ClientError: See job logs for more information", JobClientError),
    (["InProgress", "Failed"], "AlgorithmError: See job logs for more information", JobAlgorithmError),
    (["InProgress", "Failed"], "CapacityError: Unable to provision", JobCapacityError),
    (["InProgress", "Failed"], "InternalServerError: We encountered an internal error.", JobInternalServerError),
    (["InProgress", "Failed"], "NewError: what AWS may think of", JobFailed),
    (["InProgress", "Failed"], "", JobFailed),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("life", "reason", "kind"), ENDS)
def test_every_way_of_waiting_fails_alike(way: str, life: Sequence[str], reason: str, kind: type[Exception]) -> None:
    with pytest.raises(JobFailed) as caught:
        WAYS[way](World(life=life, reason=reason), 30)

    assert type(caught.value) is kind
    assert caught.value.reason == reason


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_waiting_gives_the_same_result(way: str) -> None:
    now = time.time()
    made = WAYS[way](World(life=["InProgress", "InProgress", "Completed"], now=now), 3600)
    same = WAYS["operator"](World(now=now), 3600)

    # What the operator knows of its input, a sensor that was told no more than a name cannot.
    known = {name for name, value in made.items() if value != same[name]}
    assert known <= {"job_name", "job_arn", "control", "record", "objects", "objects_done"}
    assert (known != set()) == ("sensor" in way)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_waiting_times_out_alike(way: str) -> None:
    world = World(life=["InProgress"])
    with pytest.raises(JobTimedOut):
        WAYS[way](world, 0.05)

    # A job belongs to the task that made it: a sensor leaves it alone unless it is told otherwise.
    assert len(world.stopped) == ("operator" in way)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_waiting_outlives_throttling(way: str) -> None:
    world = World(life=["InProgress"] * 4 + ["Completed"])
    describe = world.batch.describe_transform_job

    def throttled(**request: Any) -> dict[str, Any]:
        if len(world.batch.names("DescribeTransformJob")) in (2, 3):
            world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")]
        return describe(**request)

    world.batch.describe_transform_job = throttled  # type: ignore[method-assign]

    assert WAYS[way](world, 3600)["status"] == "Completed"


@pytest.mark.parametrize("options", [{}, {"mode": "reschedule"}, {"deferrable": True}])
class TestSensor:
    def test_a_job_that_does_not_exist(self, options: dict[str, Any]) -> None:
        with pytest.raises(JobNotFound):
            run(sensor(**options), World())

    def test_its_timeout_is_airflows_too(self, options: dict[str, Any]) -> None:
        world = World()
        world.batch.add("nightly", ["InProgress"])

        with pytest.raises(AirflowSensorTimeout):
            run(sensor(timeout=0.02, **options), world)

    def test_the_result_of_an_operator_names_the_job_and_lends_what_it_knows(self, options: dict[str, Any]) -> None:
        world = World()
        world.batch.add("nightly", ["InProgress", "Completed"])
        earlier = {"job_name": "nightly", "prepared": "s3://b/in/_manifest.json", "rows": 1000, "objects": 3}

        made = run(sensor(earlier, **options), world)

        assert {key: made[key] for key in earlier} == earlier

    def test_never_fail_skips(self, options: dict[str, Any]) -> None:
        world = World()
        world.batch.add("nightly", ["InProgress", "Stopped"])

        with pytest.raises(AirflowSkipException):
            run(sensor(never_fail=True, **options), world)


def test_a_deferrable_sensor_does_not_defer_for_a_job_that_has_ended() -> None:
    world = World()
    world.batch.add("nightly", ["Completed"])

    run(sensor(deferrable=True), world)

    assert len(world.batch.calls) == 1


def test_a_timeout_survives_the_way_between_processes() -> None:
    again = pickle.loads(pickle.dumps(SensorTimedOut("nightly", 60.0)))

    assert (type(again), again.job_name, again.seconds) == (SensorTimedOut, "nightly", 60.0)
    assert "'nightly' had not ended after 60 s" in str(again)
