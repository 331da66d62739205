"""Waiting for a transform job that someone else has created."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout, TaskDeferralError

from airflow_batchtx.control.assigning import control_of
from airflow_batchtx.control.assignment import OnRecord
from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.limits import looked, outwait, stop
from airflow_batchtx.control.waiting import ended, named
from airflow_batchtx.errors import BatchTransformError, InvalidJob, JobTimedOut, StorageError, WaitInterrupted, refuse
from airflow_batchtx.hooks.controlled import GRACE, ControlledOperator, configured_control
from airflow_batchtx.planning.addresses import address, is_address
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import policy, wire
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.templates import Text
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.triggers.batch_transform import TIMED_OUT, UNKNOWN, BatchTransformTrigger

# What a task that did not create the job may say about its end.
OPTIONS = ("on_stopped", "verify")


class SensorTimedOut(JobTimedOut, AirflowSensorTimeout):
    """The JobTimedOut of a sensor: for Airflow, a sensor's timeout ends its task for good, or skips it (soft_fail)."""


class BatchTransformSensor(ControlledOperator, BaseSensorOperator):
    """Wait until a transform job has ended, and return its TransformResult; a job that did not Complete is a failure.

    `job_name` is a name, or the result of a BatchTransformOperator. Looks every `poke_interval` seconds, for `timeout`
    seconds; `mode` is "poke" or "reschedule". With `deferrable` (by default as Airflow's `[operators]
    default_deferrable` says) it waits in a triggerer instead. The outcome is that of the operator in all of them:
    with the operator's result, or a job that keeps its intent beside its output, outputs are proved. So is what
    `never_fail` (skip after any failure) and `soft_fail` (skip after a timeout) make of it. `silent_fail` passes over
    looks that fail while the task pokes, never over a job that did.

    `execution_timeout` bounds a wait in a triggerer too, and fails the try; `timeout` fails the task for good.

    :param on_stopped: "fail", or "accept" a job that somebody stopped.
    :param verify: "outputs", or "none" to take a Completed job at its word.
    :param stop_on_timeout: stop the job once `timeout` has passed.
    """

    template_fields: Sequence[str] = ("job_name", *OPTIONS, *ControlledOperator.template_fields)
    ui_color = "#ff9900"

    def __init__(
        self,
        *,
        job_name: Text | Mapping[str, Any],
        deferrable: bool | None = None,
        on_stopped: Any = "fail",
        verify: Any = "outputs",
        stop_on_timeout: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse(
            InvalidJob,
            f"task {self.task_id}",
            policy.problems({**policy.DEFAULTS, "on_stopped": on_stopped, "verify": verify}),
        )
        self.job_name = job_name
        self.deferrable = self.defers(deferrable)
        self.on_stopped = on_stopped
        self.verify = verify
        self.stop_on_timeout = stop_on_timeout

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002
        """Look once; done, with what SageMaker knows of it, once the job has ended, however it ended."""
        seen = self.services.jobs.look(named(self.job_name))
        return PokeReturnValue(ended(seen), seen)

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait in the way that was asked for, and give the result of a job that Completed."""
        name = named(self.job_name)
        with self._excused(), self._timed(name):
            # What its end means is told out here: inside the loop, silent_fail would have the sensor wait on.
            return self._result(self._deferred(name, context) if self.deferrable else super().execute(context))

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Go on after the trigger's event."""
        return self._after_event(event)

    def _after_event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        name = event["job_name"]
        with self._excused(), self._timed(name):
            described = looked(self.services, name)
            if event["status"] == TIMED_OUT and not ended(described):
                raise self._deferred_too_long(name)
            return self._result(described if ended(described) else self._waited(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Mean the same by a deferral that Airflow has ended as by its own end. Wait here where the trigger broke."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (AirflowSensorTimeout, AirflowSkipException, TaskDeferralError) as end:
            name, why = named(self.job_name), end.__cause__ if isinstance(end, AirflowSkipException) else end
            if isinstance(why, TaskDeferralError):
                return self._after_event({"job_name": name, "status": UNKNOWN, "reason": str(why)})
            if not isinstance(why, AirflowSensorTimeout) or isinstance(why, SensorTimedOut):
                raise
            timed_out = self._deferred_too_long(name)
            raise (end if isinstance(end, AirflowSkipException) else timed_out) from end

    @contextmanager
    def _excused(self) -> Iterator[None]:
        """Skip after what the task's options excuse. Airflow's own loop excuses some of it, as it looks or sleeps."""
        try:
            yield
        except WaitInterrupted:
            raise
        except (BatchTransformError, AirflowTaskTimeout) as error:
            if self.never_fail or (self.soft_fail and isinstance(error, (JobTimedOut, AirflowTaskTimeout))):
                raise AirflowSkipException(str(error)) from error
            raise

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        """Stop the job at a timeout, where that is wanted."""
        try:
            yield
        except SensorTimedOut:
            raise
        except AirflowSensorTimeout as timeout:
            raise self._timed_out(name) from timeout
        except AirflowTaskTimeout:
            self._stopped(name)
            raise
        except AirflowSkipException as skipped:
            # What soft_fail makes of a timeout has no cause; what never_fail makes of a look that failed has.
            if skipped.__cause__ is None or isinstance(skipped.__cause__, AirflowTaskTimeout):
                self._stopped(name)
            raise

    def _deferred(self, name: str, context: Context) -> Described:
        """Give a job that has ended already; wait for any other in a triggerer."""
        if ended(seen := self.services.jobs.look(name)):
            return seen
        now = self.services.clock()
        begun = context["ti"].start_date.timestamp() if context["ti"].start_date else now
        # Airflow itself does not bound a deferral by execution_timeout.
        deadline = min(now + self.timeout, begun + self._longest_try)
        trigger = BatchTransformTrigger.of(
            self, name, interval=self.poke_interval, deadline=deadline, stop_on_kill=False
        )
        left = max(deadline - now, 0.0)
        return self.defer(trigger=trigger, method_name=self.execute_complete.__name__, timeout=left + GRACE)

    @property
    def _longest_try(self) -> float:
        return self.execution_timeout.total_seconds() if self.execution_timeout else math.inf

    def _deferred_too_long(self, name: str) -> JobTimedOut:
        """Tell which of its two bounds has ended a deferral: the one of the try is worth another."""
        if self._longest_try <= self.timeout:
            return JobTimedOut(name, self._longest_try, stopped=self._stopped(name))
        return self._timed_out(name)

    def _waited(self, event: Mapping[str, Any]) -> Described:
        """Wait here for a job that the triggerer could not wait for."""
        self.log.warning("The triggerer could not wait for job %s: %s", event["job_name"], event.get("reason"))
        try:
            return outwait(self.services, event["job_name"], interval=self.poke_interval, timeout=self.timeout)
        except JobTimedOut as timeout:
            raise self._timed_out(event["job_name"]) from timeout

    def _timed_out(self, name: str) -> SensorTimedOut:
        return SensorTimedOut(name, self.timeout, stopped=self._stopped(name))

    def _stopped(self, name: str) -> bool:
        return self.stop_on_timeout and stop(self.services, name)

    def _result(self, described: Described) -> dict[str, Any]:
        read = Policy.read({**policy.DEFAULTS, **{name: getattr(self, name) for name in OPTIONS}})
        attempt = self._on_record(described)
        result = self.ending(read).concluded(described, attempt)
        if attempt is None and isinstance(self.job_name, Mapping):
            # The task that created the job knows more of its input than SageMaker does.
            known = TransformResult.read(self.job_name)
            result = replace(result, prepared=known.prepared, rows=known.rows, objects=known.objects)
        return result.to_dict()

    def _on_record(self, described: Described) -> OnRecord | None:
        """Find what the job's creator was about to do; nothing where it left nothing, or not where it can be found."""
        if (folder := self._folder(described)) is None:
            return None
        try:
            written = Ledger.of(self.services.store, folder).intent(described["TransformJobName"])
        except StorageError as error:
            self.log.info("What the job was about to do cannot be read: %s", error)
            return None
        if written is None:
            return None
        return OnRecord(folder=folder, intent=written.intent, reused=bool(self._told("reused")))

    def _folder(self, described: Described) -> S3Uri | None:
        """Name the job's control folder; None where its output has the bucket in the host name (see `addresses`)."""
        if told := self._told("control"):
            return S3Uri.parse(told)
        output = wire.at(described, BY_NAME["output"].path)
        if not is_address(output):
            return None
        return control_of(address(output), configured_control()) / f"{described['TransformJobName']}/"

    def _told(self, member: str) -> Any:
        """Give what the result that the sensor was given says of the job."""
        return self.job_name.get(member) if isinstance(self.job_name, Mapping) else None
