"""The task that runs a state machine, over an Airflow connection, on Step Functions as moto interprets it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_batchtx.errors import ExecutionFailed
from airflow_batchtx.operators.step_functions import BatchTransformStateMachineOperator
from airflow_batchtx.triggers.step_functions import StateMachineExecutionTrigger
from tests.engines import Desk
from tests.fake_airflow import FakeTaskInstance
from tests.state_machines import ROLE, StepFunctions


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch, states: StepFunctions) -> None:
    """A connection that leads to Step Functions alone: what runs a job has its own way to SageMaker."""
    known = {
        "AWS_ENDPOINT_URL_SFN": states.url, "AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": "127.0.0.1,localhost",
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }  # fmt: skip
    for variable, value in known.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.put_at("in/a.csv", "1,2\n3,4\n")
    return desk


def task(request: Mapping[str, Any], **options: Any) -> BatchTransformStateMachineOperator:
    return BatchTransformStateMachineOperator(
        task_id="score", job=request, role_arn=ROLE, sdk=True, interval=1, poll_interval=0.2, **options
    )


def run(made: BatchTransformStateMachineOperator, ti: FakeTaskInstance) -> Any:
    """Run a task to its end, in a triggerer's stead where it is deferred."""
    context: Any = {"ti": ti, "task": made}
    try:
        return made.execute(context)
    except TaskDeferred as deferral:
        return made.execute_complete(context, asyncio.run(fired(deferral)))


async def fired(deferral: TaskDeferred) -> dict[str, Any]:
    _, arguments = deferral.trigger.serialize()
    event: dict[str, Any] = (await anext(StateMachineExecutionTrigger(**arguments).run())).payload
    return event


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.usefixtures("connection")
def test_a_task_and_its_clear_have_one_job(desk: Desk, deferrable: bool) -> None:
    request, ti = desk.request(desk.model(desk.models.url("echo"))), FakeTaskInstance(dag_id=f"dag-{uuid4().hex[:8]}")

    first, again = (run(task(request, deferrable=deferrable), ti) for _ in range(2))

    assert first == again
    assert (first["TransformJobStatus"], first["Attempts"]) == ("Completed", 1)
    made = desk.client.list_transform_jobs(NameContains=request["TransformJobName"])["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in made] == [first["TransformJobName"]]


@pytest.mark.usefixtures("connection")
def test_a_job_that_fails_fails_the_task_with_its_class(desk: Desk) -> None:
    request = desk.request(desk.model(desk.models.url("broken")))

    with pytest.raises(ExecutionFailed) as failed:
        run(task(request, deferrable=True), FakeTaskInstance(dag_id=f"dag-{uuid4().hex[:8]}"))

    assert failed.value.error == "AlgorithmError"
