"""The tasks in real DAG runs, in every way of waiting."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import InvalidJob, JobAlgorithmError, JobStopped, JobTimedOut
from airflow_batchtx.operators.batch_transform import BatchTransformOperator, BatchTransformStopOperator
from airflow_batchtx.sensors.batch_transform import BatchTransformSensor
from tests.fake_sagemaker import REQUEST, FakeSageMaker
from tests.integration.airflow.conftest import RunDag

pytestmark = pytest.mark.airflow

SHARDS = {
    "input": "s3://b/staged/", "manifest": "s3://b/staged/_manifest.json", "content_type": "text/csv",
    "split_type": "Line", "assemble_with": "Line", "shards": 3, "rows": 1000,
}  # fmt: skip


class Gives(BaseOperator):
    """Returns what it is given, as a task before would."""

    def __init__(self, *, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context: Any) -> Any:
        return self.value


def dag(name: str, **options: Any) -> DAG:
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), **options)


def job(**members: Any) -> TransformJob:
    needed = {"model_name": "churn", "input": "s3://b/in/", "output": "s3://b/out/", "instance_type": "ml.m5.large"}
    return TransformJob(**{**needed, **members})


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_made_of_templates_and_of_another_tasks_result(
    run_dag: RunDag, sagemaker: FakeSageMaker, deferrable: bool
) -> None:
    with dag("templated", params={"instances": 3, "mb": 6}) as templated:
        prepare = Gives(task_id="prepare", value=SHARDS)
        BatchTransformOperator(
            task_id="score",
            job=job(
                input=prepare.output,
                output="s3://b/{{ dag.dag_id }}/",
                instance_count="{{ params.instances }}",
                max_payload_in_mb="{{ params.mb }}",
            ),
            deferrable=deferrable,
            poll_interval=0.1,
        )

    done = run_dag(templated)

    assert done.states == {"prepare": "success", "score": "success"}
    (sent,) = sagemaker.jobs.values()
    assert sent["TransformInput"] == {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/staged/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    }
    assert (sent["TransformResources"]["InstanceCount"], sent["MaxPayloadInMB"]) == (3, 6)
    result = done.results["score"]
    assert (result["status"], result["output"], result["rows"]) == ("Completed", "s3://b/templated/", 1000)
    assert result["job_name"] == sent["TransformJobName"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_mapped_over_jobs_of_another_task(run_dag: RunDag, sagemaker: FakeSageMaker, deferrable: bool) -> None:
    days = [{**REQUEST, "TransformOutput": {"S3OutputPath": f"s3://b/out/day={day}/"}} for day in (1, 2, 3)]
    with dag("mapped") as mapped:
        plan = Gives(task_id="plan", value=days)
        BatchTransformOperator.partial(task_id="score", deferrable=deferrable, poll_interval=0.1).expand(
            job=plan.output
        )

    done = run_dag(mapped)

    outputs = [done.results[f"score[{index}]"]["output"] for index in range(3)]
    assert outputs == ["s3://b/out/day=1/", "s3://b/out/day=2/", "s3://b/out/day=3/"]
    assert len(sagemaker.jobs) == 3


WAYS: dict[str, dict[str, Any]] = {
    "operator": {"deferrable": False},
    "deferred_operator": {"deferrable": True},
    "poking_sensor": {"deferrable": False, "mode": "poke"},
    "rescheduled_sensor": {"deferrable": False, "mode": "reschedule"},
    "deferred_sensor": {"deferrable": True},
}
ENDS: dict[str, tuple[list[str], type[Exception] | None]] = {
    "Completed": (["InProgress", "Completed"], None),
    "Failed": (["InProgress", "Failed"], JobAlgorithmError),
    "Stopped": (["InProgress", "Stopping", "Stopped"], JobStopped),
    "TimedOut": (["InProgress"], JobTimedOut),
}


def test_every_way_of_waiting_ends_alike(run_dag: RunDag, sagemaker: FakeSageMaker) -> None:
    sagemaker.reason = "AlgorithmError: See job logs for more information"
    with dag("ways") as ways:
        for (way, options), (end, (life, _)) in itertools.product(WAYS.items(), ENDS.items()):
            task_id, timeout = f"{way}.{end}", 0.3 if end == "TimedOut" else 60
            sagemaker.lives_of[end] = life
            if "operator" in way:
                request = {**REQUEST, "ModelName": end}
                BatchTransformOperator(task_id=task_id, job=request, timeout=timeout, poll_interval=0.1, **options)
            else:
                sagemaker.add(f"{way}-{end}", life, {**REQUEST, "ModelName": end})
                job_name = f"{way}-{end}"
                BatchTransformSensor(
                    task_id=task_id, job_name=job_name, timeout=timeout, poke_interval=0.1, **options
                )  # fmt: skip

    done = run_dag(ways)

    assert len(done.states) == 20
    for way, (end, (_, kind)) in itertools.product(WAYS, ENDS.items()):
        task_id = f"{way}.{end}"
        assert done.states[task_id] == ("failed" if kind else "success"), task_id
        assert isinstance(done.errors.get(task_id), kind or type(None)), task_id
        assert (done.results[task_id] or {}).get("status") == (None if kind else "Completed"), task_id


def test_start_wait_elsewhere_and_stop(run_dag: RunDag, sagemaker: FakeSageMaker) -> None:
    sagemaker.life = ["InProgress"]
    with dag("apart") as apart:
        run = BatchTransformOperator(task_id="score", job=job(), wait_for_completion=False, deferrable=True)
        stop = BatchTransformStopOperator(task_id="stop", job_name=run.output, poll_interval=0.1)
        wait = BatchTransformSensor(task_id="wait", job_name=run.output["job_name"], poke_interval=0.1)
        stop >> wait

    done = run_dag(apart)

    assert done.states == {"score": "success", "stop": "success", "wait": "failed"}
    assert done.results["score"]["status"] == "InProgress"
    assert done.results["stop"]["status"] == "Stopped"
    assert [type(error) for error in done.errors.values()] == [JobStopped]


def test_a_job_that_is_wrong_once_rendered_is_never_created(run_dag: RunDag, sagemaker: FakeSageMaker) -> None:
    with dag("wrong", params={"mb": 101, "kind": "ml.m5"}) as wrong:
        BatchTransformOperator(
            task_id="score", job=job(max_payload_in_mb="{{ params.mb }}", instance_type="{{ params.kind }}")
        )

    done = run_dag(wrong)

    error = done.errors["score"]
    assert isinstance(error, InvalidJob)
    assert {problem.value for problem in error.problems} == {101, "ml.m5"}
    assert sagemaker.calls == []
