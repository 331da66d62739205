"""The tasks in real DAG runs, on a real S3, in every way of waiting."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import (
    FailedObject,
    InvalidJob,
    JobAlgorithmError,
    JobStopped,
    JobTimedOut,
    QuotaExceeded,
    ServiceUnavailable,
)
from airflow_batchtx.operators.batch_transform import BatchTransformOperator, BatchTransformStopOperator
from airflow_batchtx.sensors.batch_transform import BatchTransformSensor
from airflow_batchtx.spec.manifest import PreparedManifest, Shard
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import FakeBatch
from tests.fake_sagemaker import refusal
from tests.integration.airflow.conftest import RunDag

pytestmark = pytest.mark.airflow

ONCE = {"retries": {"total_max_attempts": 1}}


class Gives(BaseOperator):
    """Returns what it is given, as a task before would."""

    def __init__(self, *, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context: Any) -> Any:
        return self.value


def dag(name: str, **options: Any) -> DAG:
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), **options)


def job(bucket: str, **members: Any) -> TransformJob:
    needed = {
        "model_name": "churn", "input": f"s3://{bucket}/in/", "output": f"s3://{bucket}/out/",
        "instance_type": "ml.m5.large", "instance_count": 2,
    }  # fmt: skip
    return TransformJob(**{**needed, **members})


def operator(task_id: str, job: Any, **options: Any) -> BatchTransformOperator:
    return BatchTransformOperator(
        task_id=task_id, job=job, **{"poll_interval": 0.1, "deferrable": False, "retries": 0, **options}
    )


def prepared(sagemaker: FakeBatch, bucket: str) -> dict[str, Any]:
    """What a prepare task leaves: the shards are those of `in/`, the manifest lies elsewhere."""
    home, manifest = f"s3://{bucket}/in/", f"s3://{bucket}/manifest.json"
    shards = tuple(Shard(uri=f"{home}{name}.csv", rows=1, bytes=4, sha256="0" * 64, kept=None) for name in "abc")
    kinds = {"content_type": "text/csv", "split_type": "Line"}
    written = PreparedManifest(input=home, columns=("x", "y"), kept={}, source=(), shards=shards, **kinds)
    sagemaker.store.put(S3Uri.parse(manifest), written.to_json())
    told = PreparedInput(input=home, manifest=manifest, assemble_with="Line", shards=3, rows=1000, **kinds)
    return told.to_dict()


def record(sagemaker: FakeBatch, result: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sagemaker.store.get(S3Uri.parse(result["record"])))
    return found


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_made_of_templates_and_of_another_tasks_result(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str, deferrable: bool
) -> None:
    with dag("templated", params={"instances": 3, "mb": 6}) as templated:
        prepare = Gives(task_id="prepare", value=prepared(sagemaker, bucket))
        members = {"instance_count": "{{ params.instances }}", "max_payload_in_mb": "{{ params.mb }}"}
        templates = job(bucket, input=prepare.output, output=f"s3://{bucket}/{{{{ dag.dag_id }}}}/", **members)
        operator("score", templates, deferrable=deferrable)

    done = run_dag(templated)

    assert done.states == {"prepare": "success", "score": "success"}
    (sent,) = sagemaker.jobs.values()
    assert sent["TransformInput"] == {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    }
    assert (sent["TransformResources"]["InstanceCount"], sent["MaxPayloadInMB"]) == (3, 6)
    result = done.results["score"]
    assert (result["status"], result["output"], result["rows"]) == ("Completed", f"s3://{bucket}/templated/", 1000)
    assert result["job_name"] == sent["TransformJobName"]
    assert (result["objects"], result["objects_done"]) == (3, 3)
    assert sagemaker.store.get(S3Uri(bucket, "templated/a.csv.out")) == b"1,2\n!"


@pytest.mark.parametrize("deferrable", [False, True])
def test_mapped_over_jobs_of_another_task(run_dag: RunDag, sagemaker: FakeBatch, bucket: str, deferrable: bool) -> None:
    days = [job(bucket, output=f"s3://{bucket}/out/day={day}/").to_request() for day in (1, 2, 3)]
    with dag("mapped") as mapped:
        plan = Gives(task_id="plan", value=days)
        BatchTransformOperator.partial(task_id="score", deferrable=deferrable, poll_interval=0.1).expand(
            job=plan.output
        )

    done = run_dag(mapped)

    outputs = [done.results[f"score[{index}]"]["output"] for index in range(3)]
    assert outputs == [f"s3://{bucket}/out/day={day}/" for day in (1, 2, 3)]
    assert len(sagemaker.jobs) == 3


WAYS: dict[str, dict[str, Any]] = {
    "operator": {"deferrable": False},
    "deferred_operator": {"deferrable": True},
    "poking_sensor": {"deferrable": False, "mode": "poke"},
    "rescheduled_sensor": {"deferrable": False, "mode": "reschedule"},
    "deferred_sensor": {"deferrable": True},
}
ENDS: dict[str, tuple[list[str], type[Exception] | None]] = {
    "Completed": (["InProgress", "InProgress", "Completed"], None),
    "Failed": (["InProgress", "InProgress", "Failed"], JobAlgorithmError),
    "Stopped": (["InProgress", "Stopping", "Stopped"], JobStopped),
    "TimedOut": (["InProgress"], JobTimedOut),
}


def test_every_way_of_waiting_ends_alike(run_dag: RunDag, sagemaker: FakeBatch, bucket: str) -> None:
    """Sensors wait for jobs that an operator has started; what they give is what an operator gives that waits."""
    sagemaker.reason = "AlgorithmError: See job logs for more information"
    with dag("ways") as ways:
        for (way, options), (end, (life, _)) in itertools.product(WAYS.items(), ENDS.items()):
            task_id, timeout = f"{way}.{end}", 0.3 if end == "TimedOut" else 60
            sagemaker.lives_of[end] = life
            mine = job(bucket, model_name=end, output=f"s3://{bucket}/{task_id}/")
            if "operator" in way:
                operator(task_id, mine, max_runtime=timeout, **options)
            else:
                start = operator(f"start.{task_id}", mine, wait_for_completion=False)
                BatchTransformSensor(
                    task_id=task_id, job_name=start.output, timeout=timeout, poke_interval=0.1, retries=0, **options
                )

    done = run_dag(ways)

    assert len(done.states) == 32
    results = {}
    for way, (end, (_, kind)) in itertools.product(WAYS, ENDS.items()):
        task_id = f"{way}.{end}"
        assert done.states[task_id] == ("failed" if kind else "success"), task_id
        assert isinstance(done.errors.get(task_id), kind or type(None)), task_id
        assert (done.results[task_id] or {}).get("status") == (None if kind else "Completed"), task_id
        if end == "Completed":
            results[task_id] = done.results[task_id]
        if end == "Failed":
            failed = done.errors[task_id]
            assert isinstance(failed, JobAlgorithmError)
            assert failed.objects == (FailedObject(f"s3://{bucket}/in/a.csv", 400, "no column x"),), task_id
    own = ("job_name", "job_arn", "control", "record", "output", "created", "started", "ended")
    told = [{name: value for name, value in result.items() if name not in own} for result in results.values()]
    assert told == [told[0]] * len(WAYS)
    assert (told[0]["objects"], told[0]["objects_done"], told[0]["attempts"], told[0]["reused"]) == (3, 3, 1, False)
    assert told[0]["cost"] > 0
    for task_id, result in results.items():
        assert result["record"] == f"{result['control']}record.json"
        mapping = [(one["input"], one["output"]) for one in record(sagemaker, result)["objects"]]
        assert mapping == [
            (f"s3://{bucket}/in/{name}.csv", f"s3://{bucket}/{task_id}/{name}.csv.out") for name in "abc"
        ]
    # A job belongs to the task that made it: a sensor whose time is over leaves it alone.
    late = [done.results[f"start.{way}.TimedOut"]["job_name"] for way in WAYS if "sensor" in way]
    stops = sagemaker.stopped
    assert (len(stops), len(set(stops)), set(stops) & set(late)) == (2, 2, set())


def test_start_wait_elsewhere_and_stop(run_dag: RunDag, sagemaker: FakeBatch, bucket: str) -> None:
    sagemaker.life = ["InProgress"]
    with dag("apart") as apart:
        run = operator("score", job(bucket), wait_for_completion=False, deferrable=True)
        stop = BatchTransformStopOperator(task_id="stop", job_name=run.output, poll_interval=0.1)
        wait = BatchTransformSensor(task_id="wait", job_name=run.output["job_name"], poke_interval=0.1)
        stop >> wait

    done = run_dag(apart)

    assert done.states == {"score": "success", "stop": "success", "wait": "failed"}
    assert done.results["score"]["status"] == "InProgress"
    assert done.results["stop"]["status"] == "Stopped"
    assert [type(error) for error in done.errors.values()] == [JobStopped]


def test_a_job_that_is_wrong_once_rendered_is_never_created_nor_tried_again(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    with dag("wrong", params={"mb": 101, "kind": "ml.m5"}) as wrong:
        members = {"max_payload_in_mb": "{{ params.mb }}", "instance_type": "{{ params.kind }}"}
        operator("score", job(bucket, **members), retries=3, retry_delay=timedelta(hours=1))

    done = run_dag(wrong)

    error = done.errors["score"]
    assert done.states == {"score": "failed"}
    assert isinstance(error, InvalidJob)
    assert {problem.value for problem in error.problems} == {101, "ml.m5"}
    assert sagemaker.calls == []


def test_a_bound_of_money_that_cannot_be_kept_is_refused_before_any_call(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    with dag("priceless", params={"kind": "ml.m4.xlarge"}) as priceless:
        operator("score", job(bucket, instance_type="{{ params.kind }}"), max_cost=5, retries=3)

    done = run_dag(priceless)

    error = done.errors["score"]
    assert done.states == {"score": "failed"}
    assert isinstance(error, InvalidJob)
    assert [problem.field for problem in error.problems] == ["max_cost"]
    assert sagemaker.calls == []


def test_without_input_the_task_fails_or_is_skipped_and_so_is_what_follows(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    with dag("nothing") as nothing:
        none = job(bucket, input=f"s3://{bucket}/none/")
        operator("skips", none, on_empty="skip") >> Gives(task_id="after", value=1)
        operator("fails", none)

    done = run_dag(nothing)

    assert done.states == {"skips": "skipped", "after": "skipped", "fails": "failed"}
    assert sagemaker.jobs == {}


def test_a_quota_costs_no_slot_and_no_try(run_dag: RunDag, sagemaker: FakeBatch, bucket: str) -> None:
    sagemaker.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ResourceLimitExceeded")] * 2
    with dag("crowded") as crowded:
        score = operator("score", job(bucket))
        score.quota_pause = 0.2

    done = run_dag(crowded)

    assert done.states == {"score": "success"}
    (name,) = sagemaker.jobs
    assert sagemaker.names("CreateTransformJob") == [name] * 3
    assert done.results["score"]["attempts"] == 1


@pytest.mark.parametrize("options", [{"on_quota": "fail"}, {"quota_timeout": 3}], ids=["fail", "timeout"])
def test_a_quota_that_is_not_waited_for_any_longer_fails_the_task(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str, options: dict[str, Any]
) -> None:
    sagemaker.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ResourceLimitExceeded")] * 9
    with dag(f"crowded_{next(iter(options))}") as crowded:
        score = operator("score", job(bucket), **options)
        score.quota_pause = 6  # half of which is the timeout: a busy machine is refused the first time before it

    done = run_dag(crowded)

    assert done.states == {"score": "failed"}
    assert isinstance(done.errors["score"], QuotaExceeded)
    assert len(sagemaker.names("CreateTransformJob")) == (1 if "on_quota" in options else 2)


def test_a_service_that_is_not_there_fails_the_try_and_the_next_one_finds_what_was_made(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    sagemaker.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ServiceUnavailable", status=503)]
    seen = list[Any]()
    with dag("away") as away:
        operator(
            "score", job(bucket), botocore_config=ONCE, retries=1, retry_delay=timedelta(seconds=0.1),
            on_retry_callback=lambda context: seen.append(context["exception"]),
        )  # fmt: skip

    done = run_dag(away)

    assert done.states == {"score": "success"}
    assert [type(error) for error in seen] == [ServiceUnavailable]
    assert len(sagemaker.jobs) == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_retry_sends_only_what_has_no_output(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str, deferrable: bool
) -> None:
    sagemaker.reason, sagemaker.life = "AlgorithmError: See job logs for more information", ["InProgress", "Failed"]
    sagemaker.poisoned = {f"s3://{bucket}/in/a.csv"}

    def mended(_: Any) -> None:
        sagemaker.poisoned, sagemaker.life = set(), ["InProgress", "Completed"]

    with dag(f"again_{deferrable}") as again:
        operator(
            "score", job(bucket), deferrable=deferrable, retries=1, retry_delay=timedelta(seconds=0.1),
            on_retry_callback=mended,
        )  # fmt: skip

    done = run_dag(again)

    result = done.results["score"]
    assert (done.states, result["attempts"], result["objects_done"]) == ({"score": "success"}, 2, 3)
    assert sagemaker.sent == {f"s3://{bucket}/in/{name}.csv": 2 if name == "a" else 1 for name in "abc"}
