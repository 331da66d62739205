"""Waiting for an execution of a state machine without a worker slot.

The amazon provider has a trigger for this. It needs aiobotocore, which holds botocore back, and leaves an execution
alone, the job in it included, whatever becomes of the task.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_batchtx.control.waiting import POLL_INTERVAL, read_interval
from airflow_batchtx.errors import BatchTransformError
from airflow_batchtx.triggers.sharing import Once, shared

if TYPE_CHECKING:
    from airflow_batchtx.sagemaker.state_machines import StateMachines

# What an event says besides an execution's own status.
TIMED_OUT, UNKNOWN = "TimedOut", "Unknown"
WHY = "The Airflow task is over."

SETTINGS = ("aws_conn_id", "region_name", "verify", "botocore_config")


class StateMachineExecutionTrigger(BaseTrigger):
    """Fires once an execution has ended, however it ended, or once `deadline` (seconds since the epoch) has passed.

    The event is `{"execution_arn", "status"}`, a hint, whose meaning is decided on the worker; with a "reason" where
    Step Functions could not be asked. An execution is stopped once a user ends the task; not where Airflow only moves
    it, or it is cleared. All triggers of one triggerer with the same settings share a client.
    """

    # The way to AWS, where it is handed in; all triggers of the same settings share one otherwise.
    machines: StateMachines | None = None

    def __init__(
        self,
        execution_arn: str,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
        poll_interval: float = POLL_INTERVAL,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is not typed
        # Airflow keeps these in clear text: names and numbers only, the secrets stay in the connection.
        self.arguments: dict[str, Any] = {
            "execution_arn": execution_arn,
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": None if botocore_config is None else dict(botocore_config),
            "poll_interval": read_interval(poll_interval),
            "deadline": deadline,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes this trigger of again, in another process."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event."""
        event = {"execution_arn": self.arguments["execution_arn"], **await self._event()}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's is not typed

    async def on_kill(self) -> None:
        """Stop the execution, if the task is over. Airflow kills what it moves to another triggerer, too."""
        from airflow_batchtx.hooks.stopping import stop_wanted

        task_instance, reach = self.task_instance, self._way()
        if task_instance is not None and await asyncio.to_thread(stop_wanted, task_instance):
            await asyncio.to_thread(lambda: reach().stop(self.arguments["execution_arn"], WHY))

    async def _event(self) -> dict[str, str]:
        reach, arn = self._way(), self.arguments["execution_arn"]
        try:
            while (seen := await asyncio.to_thread(lambda: reach().look(arn))) is None or not seen.ended:
                if (pause := self._pause()) <= 0:
                    return {"status": TIMED_OUT}
                await asyncio.sleep(pause)
        except BatchTransformError as error:
            return {"status": UNKNOWN, "reason": str(error)}
        return {"status": seen.status}

    def _pause(self) -> float:
        """Give the seconds until the next look, less at the deadline."""
        # Not all at once, where many tasks were deferred together.
        pause: float = self.arguments["poll_interval"] * random.uniform(0.75, 1.25)  # noqa: S311
        deadline = self.arguments["deadline"]
        return pause if deadline is None else min(pause, deadline - time.time())

    def _way(self) -> Callable[[], StateMachines]:
        """Give the way to AWS, to be called in a thread: what that imports and makes would hold up the event loop."""
        if (given := self.machines) is not None:
            return lambda: given
        settings = json.dumps([self.arguments[name] for name in SETTINGS], sort_keys=True)
        return shared(("step functions", settings), lambda _: Once(partial(_machines, settings)))


def _machines(settings: str) -> StateMachines:
    from airflow_batchtx.hooks.step_functions import StateMachinesHook

    conn_id, region_name, verify, config = json.loads(settings)
    return StateMachinesHook(aws_conn_id=conn_id, region_name=region_name, verify=verify, config=config).machines
