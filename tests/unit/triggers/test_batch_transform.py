"""The trigger: one event, whatever happens."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
import weakref
from typing import Any

import pytest

from airflow_batchtx.errors import JobNotFound, JobTimedOut
from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger, resumed
from tests.fake_airflow import fired
from tests.fake_sagemaker import FakeHook, FakeSageMaker, refusal


def trigger(**options: Any) -> BatchTransformTrigger:
    return BatchTransformTrigger(job_name="nightly", **{"poll_interval": 0.01, **options})


def fake(*life: str, reason: str = "") -> FakeSageMaker:
    sagemaker = FakeSageMaker(reason=reason)
    sagemaker.add("nightly", life)
    return sagemaker


def test_serialize_is_plain_json_that_makes_the_same_trigger_again() -> None:
    full = trigger(
        aws_conn_id=None, region_name="eu-west-1", verify="/etc/ca.pem", botocore_config={"connect_timeout": 3},
        deadline=1795435200.5,
    )  # fmt: skip

    path, arguments = full.serialize()

    assert path == "airflow_batchtx.triggers.batch_transform.BatchTransformTrigger"
    assert BatchTransformTrigger(**json.loads(json.dumps(arguments))).serialize() == full.serialize()


@pytest.mark.parametrize("end", ["Completed", "Stopped"])
def test_the_event_is_the_name_and_the_status(end: str) -> None:
    assert fired(trigger(), FakeHook(fake("InProgress", end))) == {"job_name": "nightly", "status": end}


def test_the_event_of_a_failed_job_says_why() -> None:
    event = fired(trigger(), FakeHook(fake("InProgress", "Failed", reason="ClientError: See job logs")))

    assert event == {"job_name": "nightly", "status": "Failed", "reason": "ClientError: See job logs"}


def test_throttling_and_outages_are_waited_out() -> None:
    sagemaker = fake("Completed")
    sagemaker.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")] * 3

    assert fired(trigger(), FakeHook(sagemaker))["status"] == "Completed"
    assert len(sagemaker.calls) == 4


def test_the_deadline_is_an_event() -> None:
    sagemaker = fake("InProgress")

    assert fired(trigger(deadline=time.time() - 1), FakeHook(sagemaker)) == {
        "job_name": "nightly",
        "status": "TimedOut",
    }
    assert len(sagemaker.calls) == 1


def test_a_refusal_is_an_event() -> None:
    event = fired(trigger(), FakeHook(FakeSageMaker()))

    assert (event["status"], "nightly" in event["reason"]) == ("Unknown", True)


def test_the_event_loop_is_never_held_up() -> None:
    threads = set()

    class Slow(FakeHook):
        def describe(self, job_name: str) -> Any:
            threads.add(threading.current_thread())
            time.sleep(0.2)
            return super().describe(job_name)

    async def both() -> tuple[Any, int]:
        waiting = asyncio.ensure_future(anext(slow.run()))
        turns = 0
        while not waiting.done():
            turns += 1
            await asyncio.sleep(0.001)
        return await waiting, turns

    slow = trigger()
    slow.hook = Slow(fake("InProgress", "Completed"))  # type: ignore[misc]
    event, turns = asyncio.run(both())

    assert event.payload["status"] == "Completed"
    assert threading.main_thread() not in threads
    assert turns > 10


def test_resumed_asks_sagemaker_itself() -> None:
    sagemaker = fake("Completed")

    described = resumed({"job_name": "nightly", "status": "Failed"}, FakeHook(sagemaker), interval=0.01, timeout=None)

    assert described["TransformJobStatus"] == "Completed"


def test_resumed_after_the_deadline() -> None:
    event = {"job_name": "nightly", "status": "TimedOut"}

    with pytest.raises(JobTimedOut) as caught:
        resumed(event, FakeHook(fake("InProgress")), interval=0.01, timeout=60)

    assert (caught.value.job_name, caught.value.seconds) == ("nightly", 60)
    assert resumed(event, FakeHook(fake("Completed")), interval=0.01, timeout=60)["TransformJobStatus"] == "Completed"


def test_resumed_after_a_refusal_raises_it_or_goes_on_where_it_is_over() -> None:
    event = {"job_name": "nightly", "status": "Unknown", "reason": "not allowed"}

    with pytest.raises(JobNotFound):
        resumed(event, FakeHook(FakeSageMaker()), interval=0.01, timeout=None)
    described = resumed(event, FakeHook(fake("InProgress", "Stopped")), interval=0.01, timeout=None)
    assert described["TransformJobStatus"] == "Stopped"


def test_triggers_of_equal_settings_share_a_hook_while_one_of_them_waits() -> None:
    one, two = trigger(region_name="eu-west-1"), trigger(region_name="eu-west-1", poll_interval=5)
    elsewhere, otherwise = trigger(region_name="us-east-1"), trigger(region_name="eu-west-1", verify=False)

    assert one.hook is two.hook
    assert len({id(each.hook) for each in (one, elsewhere, otherwise)}) == 3

    forgotten = weakref.ref(one.hook)
    del one, two
    gc.collect()
    assert forgotten() is None
