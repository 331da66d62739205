"""Waiting for a transform job without a worker slot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_batchtx.control.waiting import POLL_INTERVAL
from airflow_batchtx.errors import BatchTransformError, JobTimedOut
from airflow_batchtx.triggers.reports import JobReport, Report, interval, told
from airflow_batchtx.triggers.sharing import Once, shared
from airflow_batchtx.triggers.watcher import CALLS_PER_SECOND, Watcher

if TYPE_CHECKING:
    from airflow_batchtx.control.services import Services
    from airflow_batchtx.hooks.connected import ConnectedOperator
    from airflow_batchtx.hooks.services import AwsSettings
    from airflow_batchtx.triggers.calls import Connected
    from airflow_batchtx.triggers.looks import Seen

# What an event says besides a job's own status.
TIMED_OUT, UNKNOWN = "TimedOut", "Unknown"

# Calls a second: an option that says none at all would let no task end.
FEWEST_CALLS = 0.1

SETTINGS = ("aws_conn_id", "region_name", "verify", "botocore_config")


class BatchTransformTrigger(BaseTrigger):
    """Fires once a job has ended, however it ended, or once `deadline` (seconds since the epoch) has passed.

    The deadline is a point in time, so that a triggerer that takes the wait over does not begin it anew. The event is
    `{"job_name", "status", "record"}`, with a "reason" where there is one: a hint, whose meaning is decided on the
    worker. All triggers of one triggerer with the same settings share a client, and few calls.

    :param job_name: the job.
    :param poll_interval: the longest pause between two looks at it, in seconds, while calls are not throttled.
    :param record: the attempt's control folder, which the event tells the worker.
    :param logs: show what the job's containers print in the task's log.
    :param stop_on_kill: stop the job once a user ends the task; not where Airflow only moves it, or it is cleared.
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
            verify=task.ssl_verify,
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

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event."""
        known = {"job_name": self.arguments["job_name"], "record": self.arguments["record"]}
        yield TriggerEvent(known | await self._event())  # type: ignore[no-untyped-call]  # Airflow's is not typed

    async def on_kill(self) -> None:
        """Stop the job, if the task is over. Airflow kills what it moves to another triggerer, too."""
        from airflow_batchtx.hooks.stopping import stop_wanted

        job_name, task_instance = self.arguments["job_name"], self.task_instance
        if not self.arguments["stop_on_kill"] or task_instance is None:
            return
        stopped = await self._watcher.stop(job_name, wanted=partial(stop_wanted, task_instance))
        does = {None: "is left running for who goes on with the task", False: "ends anyway", True: "is asked to stop"}
        self.log.info("Transform job %s %s", job_name, does[stopped])

    async def _event(self) -> dict[str, str]:
        try:
            seen = await self._end()
        except JobTimedOut:
            return {"status": TIMED_OUT}
        except BatchTransformError as error:
            return {"status": UNKNOWN, "reason": str(error)}
        event = {"status": seen["TransformJobStatus"]}
        return event | {"reason": seen["FailureReason"]} if seen.get("FailureReason") else event

    async def _end(self) -> Seen:
        """Wait for the job, and log what there is to tell in the meantime: here, in the task that the log is of."""
        wait = self._watcher.wait(
            self.arguments["job_name"], interval=self.arguments["poll_interval"], deadline=self.arguments["deadline"]
        )
        end, logs = asyncio.ensure_future(wait), self.arguments["logs"]
        try:
            async for line in told(end, self.reports, interval(logs=logs), at_end=logs):
                self.log.info("%s", line)
            return await end
        finally:
            end.cancel()

    @cached_property
    def reports(self) -> Sequence[Report]:
        """What the task's log is told while the job runs."""
        job_name, record, logs = (self.arguments[name] for name in ("job_name", "record", "logs"))
        return [JobReport(self._services, job_name, record, logs)] if record or logs else []

    # ---------------------------------------------------------------------------------------- what triggers share

    @cached_property
    def hook(self) -> Connected:
        """Transform jobs, asked for in a thread: what it imports and makes would hold up the event loop."""
        from airflow_batchtx.hooks.paced import PacedHook

        return PacedHook(**self._settings)

    @property
    def _settings(self) -> AwsSettings:
        conn_id, region, verify, config = (self.arguments[name] for name in SETTINGS)
        return {"aws_conn_id": conn_id, "region_name": region, "verify": verify, "config": config}

    @property
    def _watcher(self) -> Watcher:
        return shared(
            ("watcher", json.dumps(self._settings, sort_keys=True)),
            lambda forget: Watcher(
                lambda: self.hook,
                calls_per_second=max(
                    conf.getfloat("batchtx", "calls_per_second", fallback=CALLS_PER_SECOND), FEWEST_CALLS
                ),
                forget=forget,
            ),
        )

    @property
    def _services(self) -> Once[Services]:
        settings = self._settings

        def make() -> Services:
            from airflow_batchtx.hooks.services import services

            return services(settings)

        return shared(("services", json.dumps(settings, sort_keys=True)), lambda _: Once(make))
