"""The sensor, and that every way of waiting ends alike."""

from __future__ import annotations

import pickle
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
from tests.fake_sagemaker import REQUEST, FakeHook, FakeSageMaker, refusal


def sensor(job_name: Any = "nightly", **options: Any) -> BatchTransformSensor:
    options = {"poke_interval": 0.01, "timeout": 30, "deferrable": False, **options}
    return BatchTransformSensor(task_id="wait", job_name=job_name, **options)


def operated(fake: FakeSageMaker, timeout: float, **options: Any) -> Any:
    task = BatchTransformOperator(task_id="score", job=REQUEST, poll_interval=0.01, timeout=timeout, **options)
    return run(task, FakeHook(fake))


def sensed(fake: FakeSageMaker, timeout: float, **options: Any) -> Any:
    fake.add("nightly", fake.life)
    return run(sensor(timeout=timeout, **options), FakeHook(fake))


WAYS: dict[str, Callable[[FakeSageMaker, float], Any]] = {
    "operator": lambda fake, timeout: operated(fake, timeout, deferrable=False),
    "deferred operator": lambda fake, timeout: operated(fake, timeout, deferrable=True),
    "poking sensor": sensed,
    "rescheduled sensor": lambda fake, timeout: sensed(fake, timeout, mode="reschedule"),
    "deferred sensor": lambda fake, timeout: sensed(fake, timeout, deferrable=True),
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
        WAYS[way](FakeSageMaker(life, reason), 30)

    assert type(caught.value) is kind
    assert caught.value.reason == reason


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_waiting_gives_the_same_result(way: str) -> None:
    made = WAYS[way](FakeSageMaker(["InProgress", "InProgress", "Completed"]), 30)

    assert made == {**WAYS["operator"](FakeSageMaker(), 30), "job_name": made["job_name"], "job_arn": made["job_arn"]}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_waiting_times_out_alike(way: str) -> None:
    with pytest.raises(JobTimedOut) as caught:
        WAYS[way](FakeSageMaker(["InProgress"]), 0.05)

    assert caught.value.seconds == pytest.approx(0.05, abs=10)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_waiting_outlives_throttling(way: str) -> None:
    class Throttled(FakeSageMaker):
        def describe_transform_job(self, **request: Any) -> dict[str, Any]:
            if len(self.names("DescribeTransformJob")) in (2, 3):
                self.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")]
            return super().describe_transform_job(**request)

    assert WAYS[way](Throttled(["InProgress"] * 4 + ["Completed"]), 30)["status"] == "Completed"


@pytest.mark.parametrize("options", [{}, {"mode": "reschedule"}, {"deferrable": True}])
class TestSensor:
    def test_a_job_that_does_not_exist(self, options: dict[str, Any]) -> None:
        with pytest.raises(JobNotFound):
            run(sensor(**options), FakeHook(FakeSageMaker()))

    def test_its_timeout_is_airflows_too(self, options: dict[str, Any]) -> None:
        fake = FakeSageMaker()
        fake.add("nightly", ["InProgress"])

        with pytest.raises(AirflowSensorTimeout):
            run(sensor(timeout=0.02, **options), FakeHook(fake))

    def test_the_result_of_an_operator_names_the_job_and_lends_what_it_knows(self, options: dict[str, Any]) -> None:
        fake = FakeSageMaker()
        fake.add("nightly", ["InProgress", "Completed"])
        earlier = {"job_name": "nightly", "prepared": "s3://b/in/_manifest.json", "rows": 1000, "objects": 3}

        made = run(sensor(earlier, **options), FakeHook(fake))

        assert {key: made[key] for key in earlier} == earlier

    def test_never_fail_skips(self, options: dict[str, Any]) -> None:
        fake = FakeSageMaker()
        fake.add("nightly", ["InProgress", "Stopped"])

        with pytest.raises(AirflowSkipException):
            run(sensor(never_fail=True, **options), FakeHook(fake))


def test_a_deferrable_sensor_does_not_defer_for_a_job_that_has_ended() -> None:
    fake = FakeSageMaker()
    fake.add("nightly", ["Completed"])

    run(sensor(deferrable=True), FakeHook(fake))

    assert len(fake.calls) == 1


def test_a_timeout_survives_the_way_between_processes() -> None:
    again = pickle.loads(pickle.dumps(SensorTimedOut("nightly", 60.0)))

    assert (type(again), again.job_name, again.seconds) == (SensorTimedOut, "nightly", 60.0)
    assert "'nightly' had not ended after 60 s" in str(again)
