"""A transform job run by AWS Step Functions, as a task."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from airflow.providers.amazon.aws.links.step_function import StateMachineDetailsLink, StateMachineExecutionsDetailsLink
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError, TaskDeferralTimeout

from airflow_batchtx.control.executions import begun, output_of, waited
from airflow_batchtx.errors import ExecutionFailed, WaitInterrupted
from airflow_batchtx.hooks.controlled import GRACE, ControlledOperator, configured_interval, identity_of
from airflow_batchtx.hooks.step_functions import StateMachinesHook
from airflow_batchtx.hooks.stopping import ended_meanwhile, stop_wanted
from airflow_batchtx.operators.batch_transform import Job, rendered
from airflow_batchtx.sagemaker.state_machines import Execution, StateMachines, unqualified
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.job import TransformJob, check
from airflow_batchtx.spec.naming import state_machine_name
from airflow_batchtx.spec.options import optional
from airflow_batchtx.spec.prepared import settled
from airflow_batchtx.spec.state_machine import ATTEMPTS, INTERVAL, execution_input, state_machine
from airflow_batchtx.triggers.step_functions import TIMED_OUT, UNKNOWN, WHY, StateMachineExecutionTrigger

_given = optional(str)

EXECUTION = "execution_arn"


class BatchTransformStateMachineOperator(ControlledOperator):
    """Run a transform job as an execution of a state machine of AWS Step Functions, and return the execution's output.

    The state machine is made where there is none, and changed where it is another one. It holds how jobs are run; the
    job itself is the execution's input, so that runs beside each other share it. The output is
    `{"TransformJobName", "TransformJobArn", "TransformJobStatus", "S3OutputPath", "Attempts"}`: associate goes by
    `job_name=run.output["TransformJobName"]`. ExecutionFailed where the job does not Complete.

    The execution's name is made of the run and the task alone, as a job's is by BatchTransformOperator: a retry,
    another worker or a clear adopts the one that runs, and takes the one that succeeded with the same input. What
    BatchTransformOperator does around a job, intents, proofs and resumption, Step Functions does not.

    :param job: the job; its input is one prefix or a manifest, since Step Functions writes none.
    :param role_arn: the role that Step Functions assumes, in the account where the state machine is to be.
    :param state_machine: the name of the state machine; by default that of DAG and task.
    :param sdk: call SageMaker by the AWS SDK integration, for interpreters that do not know `.sync`. A job then goes on
        when its execution is stopped.
    :param notify: the ARN of an SNS topic that is told why an execution fails.
    :param attempts: at most so many jobs, one after another, where AWS lacks capacity or fails itself.
    :param interval: seconds between two looks of the state machine at a job that it does not wait for by itself.
    :param deferrable: wait in a triggerer, without a worker slot; by default as `[operators] default_deferrable` says.
    :param poll_interval: the pause between two looks at the execution, in seconds, give or take a quarter; by default
        `[batchtx] poll_interval`.
    :param namespace: tells Airflow deployments apart that share an AWS account; by default `[batchtx] namespace`.
    """

    template_fields: Sequence[str] = (
        "job",
        "role_arn",
        "state_machine",
        "notify",
        "namespace",
        *ControlledOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"job": "json"}
    operator_extra_links = (StateMachineDetailsLink(), StateMachineExecutionsDetailsLink())
    ui_color = "#f9c915"

    def __init__(  # noqa: PLR0913 - a task's options, by name only
        self,
        *,
        job: Job,
        role_arn: str,
        state_machine: str | None = None,
        sdk: bool = False,
        notify: str | None = None,
        attempts: int = ATTEMPTS,
        interval: int = INTERVAL,
        deferrable: bool | None = None,
        poll_interval: float | None = None,
        namespace: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job.to_request() if isinstance(job, TransformJob) else job
        self.role_arn = role_arn
        self.state_machine = state_machine
        self.sdk = sdk
        self.notify = notify
        self.attempts = attempts
        self.interval = interval
        self.deferrable = self.defers(deferrable)
        self.poll_interval = configured_interval(poll_interval)
        self.namespace = namespace
        if isinstance(self.job, Mapping):
            check(self.job)
            self._definition(settled(wire.coerced(self.job))[0], self.task_id)

    def execute(self, context: Context) -> Any:
        """Start the execution, or find it, and wait for its end."""
        ti = context["ti"]
        request, _ = settled(wire.coerced(rendered(self.job)))
        check(request)
        prefix = request.get("TransformJobName") or f"{ti.dag_id}-{ti.task_id}"
        name = _given(self.state_machine) or state_machine_name(ti.dag_id, ti.task_id)
        machine = self.machines.ensure(name, self._definition(request, prefix), self.role_arn)
        execution = begun(
            self.machines, machine, prefix, identity_of(ti, _given(self.namespace)), execution_input(request)
        )
        self._publish(context, machine, execution.arn)
        if execution.ended:
            return output_of(execution)
        if self.deferrable:
            self._refuse_if_over(execution.arn, context)
            self._defer(execution.arn, context)
        return output_of(self._waited(execution.arn, context))

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Go on after a triggerer: what it says is a hint, what counts is what Step Functions says now."""
        arn = event["execution_arn"]
        if event["status"] == UNKNOWN:
            self.log.warning("The triggerer could not wait for %s: %s", arn, event.get("reason"))
        return self._gone_on(arn, context, late=event["status"] == TIMED_OUT)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Stop the execution where Airflow has ended the deferral: no trigger was there to do it.

        Wait here if the trigger broke.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralTimeout, TaskDeferralError) as end:
            ti = context["ti"]
            arn = ti.xcom_pull(task_ids=self.task_id, key=EXECUTION, map_indexes=ti.map_index)
            self.log.warning("The triggerer has not waited for %s: %r", arn, end)
            return self._gone_on(arn, context, late=isinstance(end, TaskDeferralTimeout))

    def _gone_on(self, arn: str, context: Context, *, late: bool) -> Any:
        """Look again; what has not ended is stopped where it is late, and waited for otherwise."""
        found = self.machines.look(arn)
        if found is not None and found.ended:
            return output_of(found)
        if late:
            self.machines.stop(arn, WHY)
            raise ExecutionFailed(arn, TIMED_OUT, "", "The task's execution_timeout was over.")
        return output_of(self._waited(arn, context))

    @cached_property
    def machines(self) -> StateMachines:
        """State machines and their executions."""
        return StateMachinesHook(**self.aws).machines

    def _definition(self, request: wire.Request, prefix: str) -> dict[str, Any]:
        """Write how jobs are run: nothing of this one but the beginning of its name."""
        return state_machine(
            {**request, "TransformJobName": prefix},
            sdk=self.sdk,
            notify=_given(self.notify),
            inputs=execution_input(request),
            attempts=self.attempts,
            interval=self.interval,
            partition=self.role_arn.split(":")[1] if self.role_arn.startswith("arn:") else "aws",
        )

    def _publish(self, context: Context, machine: str, execution_arn: str) -> None:
        context["ti"].xcom_push(key=EXECUTION, value=execution_arn)
        region, partition = machine.split(":")[3], machine.split(":")[1]
        for link, arn in (
            (StateMachineDetailsLink, {"state_machine_arn": unqualified(machine)}),
            (StateMachineExecutionsDetailsLink, {"execution_arn": execution_arn}),
        ):
            link.persist(context=context, operator=self, region_name=region, aws_partition=partition, **arn)
        self.log.info("Execution %s", execution_arn)

    def _refuse_if_over(self, arn: str, context: Context) -> None:
        """Stop the execution if the task was ended while it was started: once this process has gone, nobody would."""
        if self._killed or ended_meanwhile(context["ti"]):
            raise self._cut(arn, context)

    def _defer(self, arn: str, context: Context) -> NoReturn:
        limit = self.execution_timeout
        now = time.time()
        begun_at = context["ti"].start_date.timestamp() if context["ti"].start_date else now
        deadline = None if limit is None else begun_at + limit.total_seconds()
        self.defer(
            trigger=StateMachineExecutionTrigger(
                arn,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.ssl_verify,
                botocore_config=self.botocore_config,
                poll_interval=self.poll_interval,
                deadline=deadline,
            ),
            method_name=self.execute_complete.__name__,
            timeout=None if deadline is None else timedelta(seconds=max(deadline - now, 0.0) + GRACE),
        )

    def _waited(self, arn: str, context: Context) -> Execution:
        try:
            return waited(lambda: self.machines.look(arn), lambda: self._nap(self.poll_interval))
        except WaitInterrupted as cut:
            raise self._cut(arn, context) from cut
        except AirflowTaskTimeout:
            self.machines.stop(arn, WHY)
            raise

    def _cut(self, arn: str, context: Context) -> WaitInterrupted:
        """End the wait: stop the execution, unless somebody will want it still."""
        if stopped := stop_wanted(context["ti"]):
            self.machines.stop(arn, WHY)
        return WaitInterrupted(arn, stopped=stopped)
