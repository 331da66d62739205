"""Waiting for a transform job without a worker slot."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_batchtx.control.waiting import POLL_INTERVAL, Watch, ended
from airflow_batchtx.errors import BatchTransformError, JobTimedOut
from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.sagemaker.jobs import Described

# A client of its own for each of hundreds of triggers would cost minutes of CPU, and hold up the event loop.
HOOKS: WeakValueDictionary[str, BatchTransformHook] = WeakValueDictionary()

# What an event says besides a job's own status.
TIMED_OUT, UNKNOWN = "TimedOut", "Unknown"


class BatchTransformTrigger(BaseTrigger):
    """Fires once a job has ended, however it ended, or once `deadline` (seconds since the epoch) has passed.

    The deadline is a point in time, so that a triggerer that takes the wait over does not begin it anew. The event
    says no more than `{"job_name", "status", "reason"}`; what the end means is decided on the worker, by `resumed`.
    """

    def __init__(  # noqa: PLR0913 - what Airflow keeps of a trigger, by name only
        self,
        job_name: str,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
        poll_interval: float = POLL_INTERVAL,
        deadline: float | None = None,
        record: str | None = None,
        logs: bool = False,
        stop_on_kill: bool = True,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is not typed
        # Airflow keeps these in clear text: names and numbers only, the secrets stay in the connection.
        self.arguments: dict[str, Any] = {
            "job_name": job_name,
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": None if botocore_config is None else dict(botocore_config),
            "poll_interval": poll_interval,
            "deadline": deadline,
            "record": record,
            "logs": logs,
            "stop_on_kill": stop_on_kill,
        }

    @classmethod
    def of(
        cls,
        task: ConnectedOperator,
        job_name: str,
        *,
        interval: float,
        deadline: float | None,
        record: str | None = None,
        logs: bool = False,
        stop_on_kill: bool = True,
    ) -> BatchTransformTrigger:
        """Wait in a task's stead, with its way to AWS."""
        return cls(
            job_name=job_name,
            aws_conn_id=task.aws_conn_id,
            region_name=task.region_name,
            verify=task.verify,
            botocore_config=task.botocore_config,
            poll_interval=interval,
            deadline=deadline,
            record=record,
            logs=logs,
            stop_on_kill=stop_on_kill,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes this trigger of again, in another process."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.arguments

    @cached_property
    def hook(self) -> BatchTransformHook:
        """Transform jobs. Triggers of equal settings share a hook, and so a client, while any of them waits."""
        settings = {
            "aws_conn_id": self.arguments["aws_conn_id"],
            "region_name": self.arguments["region_name"],
            "verify": self.arguments["verify"],
            "config": self.arguments["botocore_config"],
        }
        return HOOKS.setdefault(json.dumps(settings, sort_keys=True), BatchTransformHook(**settings))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event."""
        yield TriggerEvent(await self._event())  # type: ignore[no-untyped-call]  # Airflow's is not typed

    async def _event(self) -> dict[str, str]:
        job_name = self.arguments["job_name"]
        try:
            described = await self._end()
        except JobTimedOut:
            return {"job_name": job_name, "status": TIMED_OUT}
        except BatchTransformError as error:
            return {"job_name": job_name, "status": UNKNOWN, "reason": str(error)}
        event = {"job_name": job_name, "status": described["TransformJobStatus"]}
        return event | {"reason": described["FailureReason"]} if described.get("FailureReason") else event

    async def _end(self) -> Described:
        job_name = self.arguments["job_name"]
        watch = Watch(
            job_name=job_name,
            interval=self.arguments["poll_interval"],
            deadline=self.arguments["deadline"],
            clock=time.time,
            chance=random.random,
        )
        # boto3 blocks, most of all where it makes a client: both happen in a thread, off the event loop.
        while not ended(seen := await asyncio.to_thread(self.hook.look, job_name)):  # noqa: ASYNC110 - AWS sets no Event
            await asyncio.sleep(watch.pause(seen))
        return seen


def resumed(event: Mapping[str, str], hook: BatchTransformHook, *, interval: float, timeout: float | None) -> Described:
    """Give the job of an event, ended; raise what the same wait on a worker would have raised.

    Asks SageMaker itself: an event is a hint, and what kept the trigger from seeing the end may be over by now.
    """
    job_name = event["job_name"]
    if event["status"] == TIMED_OUT and not ended(hook.look(job_name)):
        raise JobTimedOut(job_name, timeout or 0.0)
    return hook.wait(job_name, interval=interval, timeout=timeout)
