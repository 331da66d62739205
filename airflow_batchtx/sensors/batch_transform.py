"""Waiting for a transform job that someone else has created."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_batchtx.control.waiting import ended, named, outcome
from airflow_batchtx.errors import BatchTransformError, JobTimedOut
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.templates import Text
from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger, resumed


class SensorTimedOut(JobTimedOut, AirflowSensorTimeout):
    """The JobTimedOut of a sensor: for Airflow, a sensor's timeout ends its task for good, or skips it (soft_fail)."""


class BatchTransformSensor(ConnectedOperator, BaseSensorOperator):
    """Wait until a transform job has ended, and return its TransformResult; a job that did not Complete is a failure.

    `job_name` is a name, or the result of a BatchTransformOperator. Looks every `poke_interval` seconds, for `timeout`
    seconds; `mode` is "poke" or "reschedule". With `deferrable` (by default as Airflow's `[operators]
    default_deferrable` says) it waits in a triggerer instead. The outcome is that of the operator in all of them.
    """

    template_fields: Sequence[str] = ("job_name", *ConnectedOperator.template_fields)
    ui_color = "#ff9900"

    def __init__(self, *, job_name: Text | Mapping[str, Any], deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002
        """Look once; done with the result of a job that Completed, raises what any other end means."""
        seen = self.hook.look(named(self.job_name))
        return PokeReturnValue(True, self._result(seen)) if ended(seen) else PokeReturnValue(False)

    def execute(self, context: Context) -> Any:
        """Wait in the way that was asked for."""
        try:
            if not self.deferrable:
                return super().execute(context)
            return self._deferred(context)
        except AirflowSensorTimeout as timeout:
            raise SensorTimedOut(named(self.job_name), self.timeout) from timeout

    def execute_complete(self, context: Context, event: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        """Go on after the trigger's event."""
        try:
            return self._result(resumed(event, self.hook, interval=self.poke_interval, timeout=self.timeout))
        except JobTimedOut as timeout:
            raise SensorTimedOut(timeout.job_name, timeout.seconds) from timeout
        except BatchTransformError as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _deferred(self, context: Context) -> Any:
        if done := self.poke(context):
            return done.xcom_value
        name = named(self.job_name)
        deadline = time.time() + self.timeout
        trigger = BatchTransformTrigger.of(
            self, name, interval=self.poke_interval, deadline=deadline, stop_on_kill=False
        )
        return self.defer(trigger=trigger, method_name=self.execute_complete.__name__)

    def _result(self, described: Described) -> dict[str, Any]:
        found = outcome(described)
        if isinstance(self.job_name, Mapping):
            # The task that created the job knows more of its input than SageMaker does.
            earlier = TransformResult.read(self.job_name)
            found = replace(found, prepared=earlier.prepared, rows=earlier.rows, objects=earlier.objects)
        return found.to_dict()
