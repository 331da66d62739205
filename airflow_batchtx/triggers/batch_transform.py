"""Waiting for a transform job without a worker slot."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_batchtx.control.waiting import POLL_INTERVAL, read_interval
from airflow_batchtx.errors import BatchTransformError, JobTimedOut
from airflow_batchtx.triggers.reports import JobReport, Report, interval, told
from airflow_batchtx.triggers.sharing import Once, shared
from airflow_batchtx.triggers.watcher import CALLS_PER_SECOND, Watcher

if TYPE_CHECKING:
    from airflow_batchtx.control.services import Services
    from airflow_batchtx.hooks.connected import ConnectedOperator
    from airflow_batchtx.hooks.paced import PacedHook
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

    # The way to AWS, where it is handed in; all triggers of the same settings share one otherwise.
    hook: PacedHook | None = None

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
            "poll_interval": read_interval(poll_interval),
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
        stopped = await self._shared.watcher.stop(job_name, wanted=partial(stop_wanted, task_instance))
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
        end = self._shared.watcher.wait(
            self.arguments["job_name"], interval=self.arguments["poll_interval"], deadline=self.arguments["deadline"]
        )
        logs = self.arguments["logs"]
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
        return [JobReport(self._shared.services, job_name, record, logs)] if record or logs else []

    # ---------------------------------------------------------------------------------------- what triggers share

    @property
    def _shared(self) -> _Shared:
        settings, given = json.dumps([self.arguments[name] for name in SETTINGS], sort_keys=True), self.hook
        connect = partial(_hook, settings) if given is None else lambda: given
        return shared(settings, lambda forget: _Shared.made(connect, forget))


@dataclass(frozen=True, slots=True)
class _Shared:
    """The way to AWS of all triggers with the same settings."""

    watcher: Watcher
    services: Callable[[], Services]

    @classmethod
    def made(cls, connect: Callable[[], PacedHook], forget: Callable[[], None]) -> _Shared:
        once = Once(connect)
        rate = conf.getfloat("batchtx", "calls_per_second", fallback=CALLS_PER_SECOND)
        return cls(
            watcher=Watcher(once, calls_per_second=max(rate, FEWEST_CALLS), forget=forget),
            services=Once(lambda: once().services()),
        )


def _hook(settings: str) -> PacedHook:
    """Reach AWS; in a thread, since what this imports and makes would hold up the event loop."""
    from airflow_batchtx.hooks.paced import PacedHook

    conn_id, region_name, verify, config = json.loads(settings)
    return PacedHook(aws_conn_id=conn_id, region_name=region_name, verify=verify, config=config)
