"""The task that runs a state machine, in a real Airflow, on moto's interpreter and the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pendulum
import pytest
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import ExecutionFailed
from airflow_batchtx.operators.step_functions import BatchTransformStateMachineOperator
from airflow_batchtx.sagemaker.state_machines import StateMachines
from tests.engines import Desk, Engine, running_engine
from tests.integration.airflow.conftest import RunDag
from tests.state_machines import ROLE, StepFunctions, step_functions

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine


@pytest.fixture(scope="module")
def states(engine: Engine) -> Iterator[StepFunctions]:
    with step_functions(engine.url) as states:
        yield states


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, states: StepFunctions) -> None:
    """Let Airflow reach Step Functions as it would reach any, by its environment."""
    known = {
        "AWS_ENDPOINT_URL_SFN": states.url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing", "NO_PROXY": "127.0.0.1", "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }  # fmt: skip
    for name, value in known.items():
        monkeypatch.setenv(name, value)


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


def task(desk: Desk, behaviour: str, **options: Any) -> BatchTransformStateMachineOperator:
    job = TransformJob(
        model_name=desk.model(desk.models.url(behaviour)),
        input=f"s3://{desk.bucket}/in/",
        output=f"s3://{desk.bucket}/out/{{{{ dag.dag_id }}}}/",
        instance_type="ml.m5.large",
        instance_count="{{ 1 }}",
    )
    return BatchTransformStateMachineOperator(
        task_id="score", job=job, role_arn=ROLE, sdk=True, interval=1, poll_interval=0.5, retries=0, **options
    )


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_runs_to_its_end(run_dag: RunDag, desk: Desk, states: StepFunctions, deferrable: bool) -> None:
    desk.put_at("in/a.csv", "1,2\n")
    with dag(f"states_{'deferred' if deferrable else 'here'}") as made:
        task(desk, "echo", deferrable=deferrable)

    done = run_dag(made)

    assert done.states == {"score": "success"}, done.errors
    result = done.results["score"]
    assert (result["TransformJobStatus"], result["S3OutputPath"]) == (
        "Completed",
        f"s3://{desk.bucket}/out/{made.dag_id}/",
    )
    assert desk.get(f"out/{made.dag_id}/a.csv.out") == b"1,2\n"
    (machine,) = [
        one for one in states.client.list_state_machines()["stateMachines"] if one["name"] == f"{made.dag_id}-score"
    ]
    (execution,) = states.client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    assert execution["status"] == "SUCCEEDED"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_that_fails_fails_the_task(run_dag: RunDag, desk: Desk, deferrable: bool) -> None:
    desk.put_at("in/a.csv", "1,2\n")
    with dag(f"broken_{'deferred' if deferrable else 'here'}") as made:
        task(desk, "broken", deferrable=deferrable)

    done = run_dag(made)

    assert done.states == {"score": "failed"}
    failed = done.errors["score"]
    assert isinstance(failed, ExecutionFailed)
    assert (failed.status, failed.error) == ("FAILED", "AlgorithmError")


def test_a_state_machine_that_changed_is_started_by_its_version(states: StepFunctions) -> None:
    """Which moto makes, but does not run: there the next try of the task, which finds no change, starts it."""
    machines, name = StateMachines(states.client), f"changed-{uuid4().hex[:8]}"
    first, second = (
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"is": which}, "End": True}}} for which in (1, 2)
    )
    arn = machines.ensure(name, first, ROLE)

    version = machines.ensure(name, second, ROLE)

    assert version.removeprefix(arn) == ":1"
    assert machines.ensure(name, second, ROLE) == arn
    ended = states.ended(machines.start(arn, "a", {}))
    assert json.loads(ended["output"]) == {"is": 2}


def test_mapped_tasks_share_a_state_machine(run_dag: RunDag, desk: Desk, states: StepFunctions) -> None:
    desk.put_at("in/a.csv", "1,2\n")
    model = desk.model(desk.models.url("echo"))
    jobs = [
        TransformJob(
            model_name=model,
            input=f"s3://{desk.bucket}/in/",
            output=f"s3://{desk.bucket}/out/{day}/",
            instance_type="ml.m5.large",
        ).to_request()
        for day in (1, 2)
    ]
    with dag("mapped_states") as made:
        BatchTransformStateMachineOperator.partial(
            task_id="score", role_arn=ROLE, sdk=True, interval=1, poll_interval=0.5, deferrable=True
        ).expand(job=jobs)

    done = run_dag(made)

    assert set(done.states.values()) == {"success"}, done.errors
    assert [done.results[f"score[{index}]"]["S3OutputPath"][-3:] for index in (0, 1)] == ["/1/", "/2/"]
    arn = f"arn:aws:states:us-east-1:{ROLE.split(':')[4]}:stateMachine:mapped_states-score"
    assert len(states.client.list_executions(stateMachineArn=arn)["executions"]) == 2
