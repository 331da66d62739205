"""Real DAG runs on the real engine: the three tasks, and a model that fails."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import JobAlgorithmError, ModelNotFound
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.task_groups import scoring
from tests.engines import Desk, model_server, running_engine
from tests.integration.airflow.conftest import RunDag

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def engine_and_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_engine(tmp_path_factory.mktemp("engine")) as engine, model_server() as models:
        yield engine, models


@pytest.fixture
def desk(engine_and_models: Any, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with a bucket of its own, and an environment in which Airflow works at it."""
    engine, models = engine_and_models
    environment = {
        "AWS_ENDPOINT_URL": engine.storage, "AWS_ENDPOINT_URL_SAGEMAKER": engine.url, "NO_PROXY": "127.0.0.1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid4().hex[:12]}"
    engine.s3.create_bucket(Bucket=bucket)
    return Desk(engine, models, bucket)


ONCE = {"InvocationsMaxRetries": 0, "InvocationsTimeoutInSeconds": 30}


def dag(name: str) -> DAG:
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc))


@pytest.mark.parametrize("deferrable", [False, True])
def test_tables_are_scored_and_every_row_is_there(run_dag: RunDag, desk: Desk, deferrable: bool) -> None:
    rows = [f"{number},{'x' * (number % 7 + 1)}" for number in range(1000)]
    desk.put_at("lake/a.csv", "\n".join(["id,text", *rows[:300]]) + "\n")
    desk.put_at("lake/b.csv", "\n".join(["id,text", *rows[300:]]) + "\n")
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
                instance_count=2,
            ),
            output=f"{home}/scored/",
            transform={"deferrable": deferrable, "poll_interval": 0.5},
        )

    done = run_dag(scored)

    assert set(done.states.values()) == {"success"}, done.errors
    assert done.results["scoring.transform"]["rows"] == 1000
    parts = [pq.read_table(io.BytesIO(desk.get(key))) for key in desk.keys("scored/") if key.endswith(".parquet")]
    table = pa.concat_tables(parts)
    assert table["id"].to_pylist() == [str(number) for number in range(1000)]
    # The model answers each line with its length.
    assert table["prediction"].to_pylist() == [number % 7 + 1 for number in range(1000)]


def test_many_tasks_share_the_work_and_make_the_same_table(run_dag: RunDag, desk: Desk) -> None:
    home, days = f"s3://{desk.bucket}", range(3)
    for day in days:
        rows = "".join(f"{100 * day + row},{'x' * (row % 5 + 1)}\n" for row in range(100))
        desk.put_at(f"lake/{day}/a.csv", "id,text\n" + rows)
    with dag("shared") as shared:
        scoring(
            source=[f"{home}/lake/{day}/" for day in days],
            mapped=True,
            shares=2,
            keep=["id"],
            columns=["text"],
            job=TransformJob(
                model_name=desk.model(desk.models.url("numbered")),
                input=f"{home}/staged/",
                output=f"{home}/out/",
                instance_type="ml.m5.large",
            ),
            output=f"{home}/scored/",
            prepare={"shard_rows": 30},
            transform={"poll_interval": 0.5},
            associate={"predictions": {"length": "int64"}},
        )

    done = run_dag(shared)

    assert set(done.states.values()) == {"success"}, done.errors
    assert {name for name in done.states if "prepare" in name} == {f"scoring.prepare[{day}]" for day in days}
    assert done.results["scoring.transform"]["rows"] == 300
    assert "scored/_SUCCESS" in desk.keys("scored/")
    assert not desk.keys("scored/_shares/")
    parts = [pq.read_table(io.BytesIO(desk.get(key))) for key in desk.keys("scored/part-")]
    table = pa.concat_tables(parts)
    assert table["id"].to_pylist() == [str(row) for row in range(300)]
    assert table["length"].to_pylist() == [row % 5 + 1 for row in range(100)] * 3


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_model_that_breaks_fails_the_task_as_it_would_on_aws(run_dag: RunDag, desk: Desk, deferrable: bool) -> None:
    desk.put_at("in/a.csv", b"1\n2\n")
    request = desk.request(desk.model(desk.models.url("broken")), ModelClientConfig=ONCE)
    with dag("broken") as broken:
        BatchTransformOperator(task_id="score", job=request, deferrable=deferrable, poll_interval=0.5)

    done = run_dag(broken)

    assert isinstance(done.errors["score"], JobAlgorithmError)
    assert desk.keys("out/") == []


def test_a_model_that_does_not_exist_is_found_out_before_there_is_a_job(run_dag: RunDag, desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n2\n")
    with dag("missing") as missing:
        BatchTransformOperator(task_id="score", job=desk.request("nobodys"), poll_interval=0.5, retries=3)

    done = run_dag(missing)

    error = done.errors["score"]
    assert done.states == {"score": "failed"}
    assert isinstance(error, ModelNotFound)
    assert error.model_name == "nobodys"
    assert desk.keys("") == ["in/a.csv"]
