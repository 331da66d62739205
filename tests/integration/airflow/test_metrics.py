"""Whole DAG runs on the engine: what their tasks tell a real CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import TooManyDeadLetters
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.task_groups import scoring
from tests.engines import Desk, Engine, client_of, running_engine
from tests.integration.airflow.conftest import RunDag

pytestmark = pytest.mark.airflow
NAMESPACE = "Batchtx"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """Let Airflow reach the engine, and what lies beside it, as it would reach AWS."""
    known = {
        "AWS_ENDPOINT_URL": engine.storage, "AWS_ENDPOINT_URL_SAGEMAKER": engine.url, "NO_PROXY": "127.0.0.1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://", "AIRFLOW__BATCHTX__METRICS_NAMESPACE": NAMESPACE,
    }  # fmt: skip
    for name, value in known.items():
        monkeypatch.setenv(name, value)


def dag(name: str) -> DAG:
    return DAG(f"{name}_{uuid4().hex[:6]}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc))


def sums(engine: Engine, dag_id: str) -> dict[str, dict[str, float]]:
    """Sum up the numbers of a DAG, by task and metric."""
    cloudwatch, now = client_of("cloudwatch", engine.storage), datetime.now(timezone.utc)
    found: dict[str, dict[str, float]] = {}
    for metric in cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]:
        named: dict[str, Any] = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        points = cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE, MetricName=metric["MetricName"], Dimensions=metric["Dimensions"], Statistics=["Sum"],
            StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1), Period=7200,
        )["Datapoints"]  # fmt: skip
        if named["DagId"] == dag_id:
            assert set(named) == {"DagId", "TaskId", "ModelName"}
            found.setdefault(named["TaskId"], {})[metric["MetricName"]] = sum(point["Sum"] for point in points)
    return found


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_run_that_scores_a_table(run_dag: RunDag, desk: Desk, engine: Engine, deferrable: bool) -> None:
    desk.put_at("lake/a.csv", "id,text\n" + "".join(f"{row},{'x' * (row % 5 + 1)}\n" for row in range(100)))
    home = f"s3://{desk.bucket}"
    with dag("scored") as scored:
        scoring(
            source=f"{home}/lake/",
            keep=["id"],
            columns=["text"],
            job=TransformJob(
                model_name=desk.model(desk.models.url("numbered")),
                input=f"{home}/staged/",
                output=f"{home}/out/",
                instance_type="ml.m5.large",
            ),
            output=f"{home}/scored/",
            transform={"deferrable": deferrable, "poll_interval": 0.5},
        )

    done = run_dag(scored)

    assert set(done.states.values()) == {"success"}, done.errors
    told, result = sums(engine, scored.dag_id), done.results["scoring.transform"]
    assert told["scoring.associate"] == {"ScoredRows": 100, "DeadRows": 0}
    job = told["scoring.transform"]
    assert (job["SentRows"], job["ScoredObjects"], job["FailedJobs"]) == (100, result["objects_done"], 0)
    assert job["InstanceSeconds"] == pytest.approx(result["instance_seconds"])
    assert job["CostUSD"] == pytest.approx(result["cost"])


def test_a_job_that_fails(run_dag: RunDag, desk: Desk, engine: Engine) -> None:
    desk.put_at("in/a.csv", b"1\n2\n")
    once = {"InvocationsMaxRetries": 0, "InvocationsTimeoutInSeconds": 30}
    request = desk.request(desk.model(desk.models.url("broken")), ModelClientConfig=once)
    with dag("broken") as broken:
        BatchTransformOperator(task_id="score", job=request, deferrable=False, poll_interval=0.5, retries=0)

    run_dag(broken)

    told = sums(engine, broken.dag_id)["score"]
    assert (told["FailedJobs"], told["StoppedJobs"], told["ScoredObjects"]) == (1, 0, 0)
    assert told["InstanceSeconds"] > 0


def test_a_table_with_too_many_dead_letters(run_dag: RunDag, desk: Desk, engine: Engine) -> None:
    desk.put_at("lake/a.csv", "id,text\n" + "".join(f"{row},{row if row % 10 else 'none'}\n" for row in range(100)))
    home = f"s3://{desk.bucket}"
    with dag("dead") as dead:
        scoring(
            source=f"{home}/lake/",
            keep=["id"],
            columns=["text"],
            job=TransformJob(
                model_name=desk.model(desk.models.url("echo")),
                input=f"{home}/staged/",
                output=f"{home}/out/",
                instance_type="ml.m5.large",
            ),
            output=f"{home}/scored/",
            transform={"deferrable": False, "poll_interval": 0.5},
            associate={"predictions": {"number": "int64"}, "max_dead": 3},
        )

    done = run_dag(dead)

    assert isinstance(done.errors["scoring.associate"], TooManyDeadLetters), done.errors
    assert sums(engine, dead.dag_id)["scoring.associate"] == {"DeadRows": 10}
