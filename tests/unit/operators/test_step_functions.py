"""The task that runs a state machine, step by step."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.bases.operator import TriggerFailureReason
from airflow.sdk.exceptions import TaskDeferred

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import ExecutionFailed, InvalidInput, InvalidJob, WaitInterrupted
from airflow_batchtx.operators.step_functions import BatchTransformStateMachineOperator
from airflow_batchtx.sagemaker.state_machines import StateMachines
from airflow_batchtx.triggers.step_functions import TIMED_OUT, UNKNOWN, StateMachineExecutionTrigger
from tests.asl import faults
from tests.fake_airflow import FakeTaskInstance, airflow_says
from tests.fake_states import ROLE, FakeStates, refusal
from tests.virtual_time import VirtualLoop, run_in_no_time

JOB = TransformJob(
    model_name="churn", input="s3://lake/day={{ ds }}/", output="s3://lake/out/", instance_type="ml.m5.large"
)
FOREVER = ("RUNNING",)


def task(states: FakeStates, job: Any = JOB, **options: Any) -> BatchTransformStateMachineOperator:
    """Make a task whose templates Airflow has rendered."""
    made = BatchTransformStateMachineOperator(
        task_id="score", job=job, role_arn=ROLE, **{"deferrable": False, "poll_interval": 0.001, **options}
    )
    made.machines = StateMachines(states)
    if isinstance(made.job, dict):
        made.job = json.loads(json.dumps(made.job).replace("{{ ds }}", "2026-11-23"))
    return made


def run(made: BatchTransformStateMachineOperator, ti: FakeTaskInstance | None = None) -> Any:
    return made.execute({"ti": ti or FakeTaskInstance(), "task": made})  # type: ignore[arg-type, typeddict-unknown-key]


def deferred(made: BatchTransformStateMachineOperator, ti: FakeTaskInstance | None = None) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferral:
        run(made, ti)
    return deferral.value


def fired(deferral: TaskDeferred, states: FakeStates) -> dict[str, str]:
    """Make the trigger anew, as a triggerer does, and give its event."""
    path, arguments = deferral.trigger.serialize()
    assert path.endswith(".StateMachineExecutionTrigger")
    again = StateMachineExecutionTrigger(**arguments)
    again.machines = StateMachines(states)  # type: ignore[misc]

    async def first(_: VirtualLoop) -> dict[str, str]:
        payload: dict[str, str] = (await anext(again.run())).payload
        return payload

    return run_in_no_time(first)


def test_the_job_is_the_executions_input() -> None:
    states = FakeStates()

    assert run(task(states)) == states.output

    (execution,) = states.executions.values()
    assert json.loads(execution["input"]) == {
        "model_name": "churn", "input": "s3://lake/day=2026-11-23/", "output": "s3://lake/out/",
        "instance_type": "ml.m5.large", "instance_count": 1, "s3_data_type": "S3Prefix",
    }  # fmt: skip


def test_runs_beside_each_other_share_a_state_machine() -> None:
    """Were the job in it, each run would change what another is about to start."""

    class Once(FakeStates):
        def update_state_machine(self, **_: Any) -> Any:
            raise AssertionError

    states = Once()
    for day in ("1", "2"):
        made = task(states)
        made.job = {**made.job, "ModelName": day, "TransformOutput": {"S3OutputPath": f"s3://lake/out/{day}/"}}  # type: ignore[dict-item]
        run(made, FakeTaskInstance(run_id=day))

    ((arn, machine),) = states.machines.items()
    assert arn.endswith(":stateMachine:churn-score")
    assert faults(json.loads(machine["definition"])) == []
    assert len(states.started) == 2


def test_a_task_in_a_group_has_a_state_machine_too() -> None:
    states = FakeStates()

    run(task(states), FakeTaskInstance(task_id="scoring.score"))

    assert [arn.rpartition(":")[2] for arn in states.machines] == ["churn-scoring-score"]


def test_tasks_with_long_names_have_state_machines_of_their_own() -> None:
    states = FakeStates()
    for task_id in ("score_a", "score_b"):
        run(task(states), FakeTaskInstance(dag_id="d" * 80, task_id=task_id))

    assert len(states.machines) == 2
    assert {len(arn.rpartition(":")[2]) for arn in states.machines} == {80}


def test_a_retry_adopts_what_runs_and_a_clear_takes_what_succeeded() -> None:
    states = FakeStates(life=("RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"))
    deferred(task(states, deferrable=True))

    for number in (2, 3):
        assert run(task(states), FakeTaskInstance(try_number=number)) == states.output

    assert len(states.started) == 1


def test_a_retry_after_a_failure_is_another_execution() -> None:
    states = FakeStates(life=("RUNNING", "FAILED"))
    for _ in range(2):
        with pytest.raises(ExecutionFailed):
            run(task(states))

    assert [arn[-2:] for arn in states.started][1] == "-2"


def test_a_triggerer_waits() -> None:
    states, ti = FakeStates(), FakeTaskInstance()
    made = task(states, deferrable=True)

    event = fired(deferred(made, ti), states)

    assert event == {"execution_arn": states.started[0], "status": "SUCCEEDED"}
    assert ti.xcoms["execution_arn"] == states.started[0]
    assert made.execute_complete({"ti": ti}, event) == states.output  # type: ignore[arg-type]


def test_triggers_that_reach_aws_alike_share_a_client() -> None:
    async def ways(_: VirtualLoop) -> list[Any]:
        told = ({}, {}, {"region_name": "eu-west-1"})
        return [StateMachineExecutionTrigger("arn", **settings)._way() for settings in told]  # type: ignore[arg-type]

    first, second, elsewhere = run_in_no_time(ways)

    assert first is second
    assert elsewhere is not first


def test_a_triggerer_that_cannot_ask_leaves_the_wait_to_the_worker() -> None:
    states = FakeStates(life=("RUNNING", "RUNNING", "SUCCEEDED"))
    made = task(states, deferrable=True)
    deferral = deferred(made)
    states.failing = [refusal("DescribeExecution", "AccessDeniedException")]

    event = fired(deferral, states)

    assert event["status"] == UNKNOWN
    assert made.execute_complete({"ti": FakeTaskInstance()}, event) == states.output  # type: ignore[arg-type]


def test_a_look_that_fails_on_the_worker_fails_no_task() -> None:
    states = FakeStates()
    made = task(states, deferrable=True)
    event = fired(deferred(made), states)
    states.failing = [refusal("DescribeExecution", "ThrottlingException")]

    assert made.execute_complete({"ti": FakeTaskInstance()}, event) == states.output  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [TIMED_OUT, TriggerFailureReason.TRIGGER_TIMEOUT])
def test_what_ended_just_in_time_is_not_late(event: Any) -> None:
    states, ti = FakeStates(life=("SUCCEEDED",)), FakeTaskInstance()
    made = task(states, deferrable=True, execution_timeout=timedelta(seconds=30))
    deferred(made, ti)
    (arn,) = states.started

    if event == TIMED_OUT:
        output = made.execute_complete({"ti": ti}, {"execution_arn": arn, "status": event})  # type: ignore[arg-type]
    else:
        output = made.resume_execution("__fail__", {"error": event}, {"ti": ti})  # type: ignore[arg-type]

    assert output == states.output
    assert not states.stopped


def test_a_trigger_that_breaks_leaves_the_wait_to_the_worker() -> None:
    states, ti = FakeStates(), FakeTaskInstance()
    made = task(states, deferrable=True)
    deferred(made, ti)

    output = made.resume_execution("__fail__", {"error": TriggerFailureReason.TRIGGER_FAILURE}, {"ti": ti})  # type: ignore[arg-type]

    assert output == states.output
    assert not states.stopped


@pytest.mark.parametrize(("state", "stopped"), [("failed", True), ("running", None)])
def test_a_task_that_is_ended_while_it_starts_is_not_deferred(state: str, stopped: bool | None) -> None:
    """Airflow would not take the deferral, and nobody would stop the execution."""
    states, ti = FakeStates(life=FOREVER), FakeTaskInstance()
    made = task(states, deferrable=True)

    with airflow_says(ti, state), pytest.raises(WaitInterrupted if stopped else TaskDeferred):
        run(made, ti)

    assert states.stopped == (states.started if stopped else [])


def test_at_execution_timeout_the_execution_is_stopped() -> None:
    states, ti = FakeStates(life=FOREVER), FakeTaskInstance()
    made = task(states, deferrable=True, execution_timeout=timedelta(seconds=30), poll_interval=7)
    deferral = deferred(made, ti)
    assert deferral.timeout is not None
    assert deferral.timeout.total_seconds() > 30
    # It passes while nobody looks.
    deferral.trigger.arguments["deadline"] = time.time() - 1

    event = fired(deferral, states)

    assert event["status"] == TIMED_OUT
    with pytest.raises(ExecutionFailed) as failed:
        made.execute_complete({"ti": ti}, event)  # type: ignore[arg-type]
    assert failed.value.status == TIMED_OUT
    assert states.stopped == states.started


def test_a_deferral_that_airflow_ends_stops_the_execution() -> None:
    states, ti = FakeStates(life=FOREVER), FakeTaskInstance()
    made = task(states, deferrable=True, execution_timeout=timedelta(seconds=30))
    deferred(made, ti)

    with pytest.raises(ExecutionFailed):
        made.resume_execution("__fail__", {"error": TriggerFailureReason.TRIGGER_TIMEOUT}, {"ti": ti})  # type: ignore[arg-type]

    assert states.stopped == states.started


@pytest.mark.parametrize(("state", "stopped"), [("failed", True), ("running", False)])
def test_a_worker_that_is_killed_stops_it_only_where_the_task_is_over(state: str, stopped: bool) -> None:
    states, ti = FakeStates(life=FOREVER), FakeTaskInstance()
    made = task(states)
    made.on_kill()

    with airflow_says(ti, state), pytest.raises(WaitInterrupted) as cut:
        run(made, ti)

    assert cut.value.stopped is stopped
    assert states.stopped == (states.started if stopped else [])


@pytest.mark.parametrize(("state", "stopped"), [("failed", True), ("deferred", False)])
def test_a_trigger_that_is_killed_likewise(state: str, stopped: bool) -> None:
    states, ti = FakeStates(life=FOREVER), FakeTaskInstance()
    trigger = deferred(task(states, deferrable=True), ti).trigger
    trigger.machines = StateMachines(states)
    trigger.task_instance = ti

    async def killed(_: VirtualLoop) -> None:
        await trigger.on_kill()

    with airflow_says(ti, state):
        run_in_no_time(killed)

    assert states.stopped == (states.started if stopped else [])


def test_what_step_functions_cannot_do_is_refused_when_the_dag_is_parsed() -> None:
    job = TransformJob(
        model_name="churn", input=["s3://lake/a/", "s3://lake/b/"], output="s3://lake/out/", instance_type="ml.m5.large"
    )
    with pytest.raises(InvalidJob, match="manifest"):
        task(FakeStates(), job)


def test_what_only_rendering_shows_is_refused_before_anything_is_made() -> None:
    states = FakeStates()
    made = task(states)
    made.job = {**made.job, "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": "none"}}  # type: ignore[dict-item]

    with pytest.raises(InvalidJob):
        run(made)
    assert not states.machines


def test_credentials_are_not_put_into_a_trigger() -> None:
    with pytest.raises(InvalidInput, match="proxies"):
        task(FakeStates(), deferrable=True, botocore_config={"proxies": {"https": "http://me:secret@proxy"}})


def test_the_docs_say_what_the_state_machine_does() -> None:
    """Numbers and names that are said twice."""
    text = (Path(__file__).parents[3] / "docs" / "step-functions.md").read_text()
    quota, throttled = JOB.to_state_machine()["States"]["Transform"]["Retry"]

    assert f"calls again {throttled['MaxAttempts']} times, after up to {throttled['IntervalSeconds']}" in text
    assert f"{throttled['MaxDelaySeconds']} seconds" in text
    assert f"calls again {quota['MaxAttempts']} times, after up to {quota['IntervalSeconds'] // 60}" in text
    assert f"{quota['MaxDelaySeconds'] // 60} minutes" in text
    output = JOB.to_state_machine()["States"]["Done"]["Parameters"]
    assert all(name.removesuffix(".$") in text for name in output)
