"""What Airflow shows and hands on of a job: links, asset events, lineage. The task stands for any that has a job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_batchtx.lineage.batch_transform import Trace, Traced
from airflow_batchtx.lineage.outlets import publish_outlets
from airflow_batchtx.links.batch_transform import LINKS, publish_links
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_sagemaker import CREATED, REQUEST
from tests.integration.airflow.conftest import RunDag, finished

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parents[3]
AWS = SimpleNamespace(region="eu-west-1", endpoint="https://api.sagemaker.eu-west-1.amazonaws.com")
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/nightly"
JOB_PAGE = "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/transform-jobs/nightly"
RESULT = TransformResult.of(
    {
        **REQUEST, "TransformJobName": "nightly", "TransformJobArn": ARN, "TransformJobStatus": "Completed",
        "CreationTime": CREATED, "TransformStartTime": CREATED, "TransformEndTime": CREATED + timedelta(minutes=30),
    },
    objects=2, objects_done=2, rows=70,
)  # fmt: skip


class Immediately(BaseTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Immediately", {}

    async def run(self) -> Any:
        yield TriggerEvent({})


class Scores(Traced, BaseOperator):
    """Has a job, and tells everybody as a transform task does; `looks` is called while the job runs."""

    operator_extra_links = LINKS

    def __init__(
        self, *, defers: bool = False, fails: bool = False, looks: Callable[[Any], Any] = lambda _: None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.defers, self.fails, self.looks = defers, fails, looks

    def given_request(self) -> Any:
        return REQUEST

    def execute(self, context: Any) -> Any:
        publish_links(context, "nightly", S3Uri("b", "out/"), AWS)
        self.looks(context)
        if self.defers:
            self.defer(trigger=Immediately(), method_name="execute_complete")
        return self.execute_complete(context)

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        self.trace = Trace(job_name="nightly", job_arn=ARN)
        if self.fails:
            raise RuntimeError("the model broke")
        self.trace = Trace(job_name="nightly", job_arn=ARN, result=RESULT)
        publish_outlets(context, self, RESULT)
        return RESULT.to_dict()


def dag(name: str, **options: Any) -> DAG:
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), **options)


# --------------------------------------------------------------------------------------------------------- links


def shown(dag_id: str, task_id: str) -> dict[str, str | None]:
    """The links of the only run's task, as Airflow's server gives them to its page."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        known = SerializedDagModel.get_dag(dag_id, session=session)
        ti = session.scalar(select(TaskInstance).where(TaskInstance.dag_id == dag_id, TaskInstance.task_id == task_id))
        assert known is not None
        assert ti is not None
        task = known.get_task(task_id)
        return {name: task.get_extra_links(ti, name) for name in task.extra_links}


@pytest.mark.parametrize("defers", [False, True], ids=["sync", "deferred"])
@pytest.mark.parametrize("fails", [False, True], ids=["good", "failing"])
def test_links_are_there_while_the_job_runs_and_after_any_end(run_dag: RunDag, defers: bool, fails: bool) -> None:
    dag_id, seen = f"linked_{defers}_{fails}", list[Any]()
    with dag(dag_id) as linked:
        Scores(task_id="score", defers=defers, fails=fails, looks=lambda _: seen.append(shown(dag_id, "score")))

    done = run_dag(linked)

    assert done.states == {"score": "failed" if fails else "success"}
    assert shown(dag_id, "score")["Transform job"] == JOB_PAGE
    assert seen == [shown(dag_id, "score")]
    assert all(str(address).startswith("https://") for address in seen[0].values())


# -------------------------------------------------------------------------------------------------------- assets


def events(uri: str) -> list[Any]:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    asked = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id).where(AssetModel.uri == uri)
    with create_session() as session:
        return [(event.extra, event.partition_key) for event in session.scalars(asked)]


@contextmanager
def partitioned(key: str) -> Iterator[None]:
    """Let every DAG run that is created be one of a partition, as a partitioned timetable would."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import event

    def set_key(_: Any, __: Any, run: DagRun) -> None:
        run.partition_key = key

    event.listen(DagRun, "before_insert", set_key)
    try:
        yield
    finally:
        event.remove(DagRun, "before_insert", set_key)


@pytest.mark.parametrize("defers", [False, True], ids=["sync", "deferred"])
def test_an_outlet_asset_gets_an_event_with_the_result(run_dag: RunDag, defers: bool) -> None:
    uri = f"s3://lake/scored-{defers}"
    with dag(f"outlets_{defers}") as produces:
        Scores(task_id="score", defers=defers, outlets=[Asset(uri=uri)])

    assert set(run_dag(produces).states.values()) == {"success"}

    assert events(uri) == [(RESULT.to_dict(), None)]


def test_an_event_has_the_partition_of_its_run(run_dag: RunDag) -> None:
    with dag("outlets_partitioned") as produces:
        Scores(task_id="score", outlets=[Asset(uri="s3://lake/partitioned")])

    with partitioned("2026-11-23"):
        run_dag(produces)

    assert events("s3://lake/partitioned") == [(RESULT.to_dict(), "2026-11-23")]


def test_an_alias_becomes_the_asset_of_the_output_prefix(run_dag: RunDag) -> None:
    with dag("outlets_alias") as produces:
        Scores(task_id="score", outlets=[AssetAlias("scored")])

    run_dag(produces)

    # Airflow takes the slash off URIs.
    assert events("s3://b/out") == [(RESULT.to_dict(), None)]


def test_a_task_that_failed_tells_assets_nothing(run_dag: RunDag) -> None:
    with dag("outlets_failed") as produces:
        Scores(task_id="score", fails=True, outlets=[Asset(uri="s3://lake/failed")])

    run_dag(produces)

    assert events("s3://lake/failed") == []


# ------------------------------------------------------------------------------------------------------- lineage


def run_traced() -> None:
    """Run in a process of its own, in which OpenLineage's provider is switched on."""
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with create_session() as session:
        session.add(DagBundleModel(name="testing"))
    with dag("traced") as traced:
        Scores(task_id="good")
        Scores(task_id="failing", fails=True)
    finished(traced)


def test_openlineage_is_told_of_tasks_that_succeed_and_that_fail(tmp_path: Path) -> None:
    log = tmp_path / "lineage.jsonl"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(log), "append": True}),
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "60",
    }
    command = [sys.executable, "-c", f"import {__name__} as told; told.run_traced()"]

    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr

    told = {
        (event["job"]["name"], event["eventType"]): event
        for event in map(json.loads, log.read_text().splitlines())
        if event["job"]["name"] != "traced"
    }
    assert set(told) == {
        ("traced.good", "START"), ("traced.good", "COMPLETE"), ("traced.failing", "START"), ("traced.failing", "FAIL"),
    }  # fmt: skip
    for event in told.values():
        assert [(one["namespace"], one["name"]) for one in event["inputs"]] == [("s3://b", "in")]
        assert [(one["namespace"], one["name"]) for one in event["outputs"]] == [("s3://b", "out")]
    good, failing = told["traced.good", "COMPLETE"], told["traced.failing", "FAIL"]
    assert good["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 70
    assert good["run"]["facets"]["externalQuery"]["externalQueryId"] == ARN
    assert failing["run"]["facets"]["batchtx_transformJob"]["jobName"] == "nightly"
    assert failing["run"]["facets"]["errorMessage"]["message"] == "the model broke"
