"""A task that waits for a job, and what becomes of the job where the wait is cut short."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_batchtx.errors import InvalidInput, ServiceUnavailable, WaitInterrupted
from airflow_batchtx.hooks.controlled import ControlledOperator, configured_interval
from airflow_batchtx.operators.batch_transform import BatchTransformStopOperator
from tests.fake_airflow import FakeTaskInstance, airflow_says
from tests.fake_batch import World
from tests.fake_sagemaker import refusal

TI = FakeTaskInstance()
CONTEXT: Any = {"ti": TI}


def waiting(world: World) -> ControlledOperator:
    """A task whose sleeps are real, and that waits for a job that runs."""
    task = ControlledOperator(task_id="score")
    task.services = replace(world.services, sleep=task._nap)
    world.batch.add("nightly", ["InProgress"])
    return task


def stops(world: World) -> list[str]:
    return world.batch.names("StopTransformJob")


# -------------------------------------------------------------------------------------------------- being killed


def test_a_kill_cuts_a_nap_short() -> None:
    task = waiting(World())
    threading.Timer(0.05, task.on_kill).start()

    with pytest.raises(WaitInterrupted):
        task.services.sleep(600)


def test_there_is_no_nap_after_a_kill() -> None:
    task = waiting(World())
    task.on_kill()

    with pytest.raises(WaitInterrupted):
        task.services.sleep(0)


def test_without_a_kill_a_nap_is_slept_out() -> None:
    waiting(World()).services.sleep(0.01)


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "removed", "upstream_failed"])
def test_the_job_of_a_task_that_is_over_is_stopped(state: str) -> None:
    world = World()
    task = waiting(world)
    task.on_kill()

    with airflow_says(TI, state), pytest.raises(WaitInterrupted) as caught, task.stopping("nightly", CONTEXT):
        task.services.sleep(600)

    assert (caught.value.job_name, caught.value.stopped, stops(world)) == ("nightly", True, ["nightly"])


@pytest.mark.parametrize(
    "state", ["running", "restarting", "queued", "scheduled", "deferred", "up_for_retry", "up_for_reschedule", None]
)
def test_the_job_of_a_task_that_goes_on_is_left_to_the_next_try(state: str | None) -> None:
    world = World()
    task = waiting(world)
    task.on_kill()

    with airflow_says(TI, state), pytest.raises(WaitInterrupted) as caught, task.stopping("nightly", CONTEXT):
        task.services.sleep(600)

    assert (caught.value.job_name, caught.value.stopped, stops(world)) == ("nightly", False, [])
    assert "the next try adopts it" in str(caught.value)


def test_the_job_of_a_task_that_is_gone_is_stopped() -> None:
    world = World()
    task = waiting(world)
    task.on_kill()

    with airflow_says(TI, None, known=False), pytest.raises(WaitInterrupted), task.stopping("nightly", CONTEXT):
        task.services.sleep(600)

    assert stops(world) == ["nightly"]


def test_stopping_may_take_more_than_one_call_after_a_kill_too() -> None:
    world = World()
    task = waiting(world)
    world.batch.trouble["StopTransformJob"] = [refusal("StopTransformJob", "ServiceUnavailable", status=503)]
    task.on_kill()

    with airflow_says(TI, "failed"), pytest.raises(WaitInterrupted) as caught, task.stopping("nightly", CONTEXT):
        task.services.sleep(600)

    assert caught.value.stopped
    assert stops(world) == ["nightly"] * 2


def test_a_job_that_was_ending_anyway_is_not_said_to_be_stopped() -> None:
    world = World()
    task = waiting(world)
    world.batch.lives["nightly"] = ["Stopping"]
    task.on_kill()

    with airflow_says(TI, "failed"), pytest.raises(WaitInterrupted) as caught, task.stopping("nightly", CONTEXT):
        task.services.sleep(600)

    assert caught.value.stopped is None
    assert "adopts" not in str(caught.value)


@pytest.mark.parametrize("given", ["nightly", {"job_name": "nightly"}])
def test_a_killed_task_that_was_given_its_job_names_it_and_claims_no_more(given: Any) -> None:
    world = World()
    task = BatchTransformStopOperator(task_id="stop", job_name=given)
    task.services = replace(world.services, sleep=task._nap)
    world.batch.add("nightly", ["InProgress"])
    task.on_kill()

    with pytest.raises(WaitInterrupted) as caught:
        task.execute(CONTEXT)

    assert (caught.value.job_name, caught.value.stopped) == ("nightly", None)
    assert "'nightly'" in str(caught.value)
    assert "adopts" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ other endings


def test_execution_timeout_means_the_job_as_well() -> None:
    world = World()
    task = waiting(world)

    with pytest.raises(AirflowTaskTimeout), task.stopping("nightly", CONTEXT):
        raise AirflowTaskTimeout("Timeout")

    assert stops(world) == ["nightly"]


@pytest.mark.parametrize("error", [ServiceUnavailable("nightly", "503", "away"), RuntimeError("a bug")])
def test_any_other_error_leaves_the_job_alone(error: Exception) -> None:
    world = World()
    task = waiting(world)

    with pytest.raises(type(error)), task.stopping("nightly", CONTEXT):
        raise error

    assert stops(world) == []


def test_a_wait_that_comes_to_its_end_stops_nothing() -> None:
    world = World()
    task = waiting(world)

    with task.stopping("nightly", CONTEXT):
        pass

    assert stops(world) == []


# ----------------------------------------------------------------------------------------------------- its parts


def test_prices_are_those_of_the_task_over_those_of_airflow_over_the_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def table(per_hour: float) -> dict[str, Any]:
        prices = {
            "region": "us-east-1",
            "date": "2026-11-01",
            "source": "a test",
            "per_hour": {"ml.m5.large": per_hour},
        }
        return {"lists": [prices]}

    def price(**options: Any) -> float | None:
        task = ControlledOperator(task_id="score", **options)
        known = task.price_table.price("us-east-1", "ml.m5.large")
        return known and known.per_hour

    shipped = price()
    monkeypatch.setenv("AIRFLOW__BATCHTX__PRICES", json.dumps(table(7.5)))

    assert shipped not in {None, 7.5}
    assert (price(), price(prices=table(8.5))) == (7.5, 8.5)


def test_the_interval_is_airflows_unless_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured_interval() == 30
    monkeypatch.setenv("AIRFLOW__BATCHTX__POLL_INTERVAL", "7")
    assert configured_interval() == 7


def test_a_task_defers_as_it_says_else_as_airflow_does(monkeypatch: pytest.MonkeyPatch) -> None:
    task = ControlledOperator(task_id="score")

    assert [task.defers(chosen) for chosen in (True, False, None)] == [True, False, False]
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert [task.defers(chosen) for chosen in (True, False, None)] == [True, False, True]


@pytest.mark.parametrize("url", ["http://me:hunter2@proxy:3128", "me:hunter2@proxy:3128"])
def test_a_proxys_credentials_do_not_get_into_a_trigger(url: str) -> None:
    task = ControlledOperator(task_id="score", botocore_config={"proxies": {"https": url, "http": "http://proxy:3128"}})

    with pytest.raises(
        InvalidInput, match=r"botocore_config\.proxies\.https .* extra of the Airflow connection"
    ) as caught:
        task.defers(True)

    assert len(caught.value.problems) == 1
    assert "hunter2" not in str(caught.value)
    assert not task.defers(False)


def test_any_other_setting_of_a_client_may_be_deferred() -> None:
    config = {"proxies": {"https": "http://proxy:3128"}, "retries": {"mode": "adaptive"}}

    assert ControlledOperator(task_id="score", botocore_config=config).defers(True)
