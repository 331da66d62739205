"""Triggers that wait for real jobs of the local engine, over real clients."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger
from airflow_batchtx.triggers.calls import TOGETHER
from airflow_batchtx.triggers.looks import CROWD
from tests.engines import Desk, Invocation, Reply
from tests.fake_airflow import FakeTaskInstance
from tests.fake_supervisor import supervised


async def event_of(trigger: BatchTransformTrigger) -> dict[str, Any]:
    payload: dict[str, Any] = (await anext(trigger.run())).payload
    return payload


def trigger(job_name: str, **options: Any) -> BatchTransformTrigger:
    return BatchTransformTrigger(job_name, aws_conn_id=None, poll_interval=1, **options)


def calls(desk: Desk, operation: str) -> int:
    return desk.engine.calls()["us-east-1"].get(operation, 0)


def test_a_crowd_is_told_of_by_listings(desk: Desk) -> None:
    desk.put_at("in/a", b"bad")
    echo, refusing = (desk.model(desk.models.url(behaviour)) for behaviour in ("echo", "refusing"))
    # Those that a busy machine is late to begin with are described: a crowd is left.
    models = [*[echo] * (CROWD + TOGETHER), refusing]
    names = [
        desk.start(model, S3OutputPath=f"s3://{desk.bucket}/{number}/", MaxConcurrentTransforms=1)
        for number, model in enumerate(models)
    ]
    described = calls(desk, "DescribeTransformJob")

    async def all_events() -> list[dict[str, Any]]:
        return await asyncio.gather(*(event_of(trigger(name)) for name in names))

    found = {one["job_name"]: one for one in asyncio.run(all_events())}

    assert [found[name]["status"] for name in names] == ["Completed"] * (CROWD + TOGETHER) + ["Failed"]
    assert found[names[-1]]["reason"].startswith("ClientError")
    assert calls(desk, "ListTransformJobs") >= 1
    assert described == 0


def test_a_job_is_stopped_with_its_task(desk: Desk) -> None:
    gate = threading.Event()

    def slow(invocation: Invocation) -> Reply:
        gate.wait(30)
        return 200, invocation.body

    desk.put_at("in/a", b"1")
    name = desk.start(desk.model(desk.models.scripted(slow)))

    async def killed() -> None:
        one = trigger(name)
        one.task_instance = FakeTaskInstance()
        wait = asyncio.ensure_future(event_of(one))
        await asyncio.sleep(0.1)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        await one.on_kill()

    with supervised(score="failed"):
        asyncio.run(killed())
    gate.set()

    assert desk.ended(name)["TransformJobStatus"] == "Stopped"
    assert calls(desk, "StopTransformJob") == 1
