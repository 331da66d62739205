"""A task's numbers in a real CloudWatch, over an Airflow connection."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk import Context

from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.hooks.metrics import MetricsHook, publish_job_metrics, publish_metrics
from airflow_batchtx.spec.measures import of_table
from tests.conftest import aws_session
from tests.fake_airflow import FakeTaskInstance
from tests.unit.spec.test_measures import RESULT, TABLE

NOBODY = "http://127.0.0.1:9"
ENDED = datetime.now(timezone.utc) - timedelta(hours=2)


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch, s3_endpoint: str) -> str:
    """A namespace that Airflow's configuration names, on a CloudWatch that the connection leads to."""
    name = f"Batchtx{uuid4().hex[:8]}"
    known = {
        "AWS_ENDPOINT_URL": s3_endpoint, "AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": "127.0.0.1",
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AIRFLOW__BATCHTX__METRICS_NAMESPACE": name,
    }  # fmt: skip
    for variable, value in known.items():
        monkeypatch.setenv(variable, value)
    return name


@pytest.fixture
def cloudwatch(s3_endpoint: str) -> Any:
    return aws_session().client("cloudwatch", endpoint_url=s3_endpoint)


def context() -> Context:
    return {"ti": FakeTaskInstance()}  # type: ignore[return-value, typeddict-item]


def sums(cloudwatch: Any, namespace: str) -> dict[str, float]:
    """Sum up each metric of a namespace over all time."""
    found = {}
    for metric in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]:
        points = cloudwatch.get_metric_statistics(
            Namespace=namespace, MetricName=metric["MetricName"], Dimensions=metric["Dimensions"], Statistics=["Sum"],
            StartTime=ENDED - timedelta(days=1), EndTime=ENDED + timedelta(days=1), Period=3600 * 48,
        )["Datapoints"]  # fmt: skip
        found[metric["MetricName"]] = sum(point["Sum"] for point in points)
    return found


def test_a_job_and_its_table(namespace: str, cloudwatch: Any) -> None:
    task = ConnectedOperator(task_id="score")
    result = replace(RESULT, model_name="churn", ended=ENDED.isoformat())

    publish_job_metrics(context(), task, result)
    publish_metrics(context(), task, of_table(TABLE), model_name="churn")

    assert sums(cloudwatch, namespace) == {
        "FailedJobs": 0, "StoppedJobs": 0, "SentRows": 1000, "ScoredObjects": 4, "ProvisioningSeconds": 180,
        "TransformSeconds": 60, "InstanceSeconds": 120, "CostUSD": 0.25, "ScoredRows": 990, "DeadRows": 10,
    }  # fmt: skip
    dimensions = {
        tuple((one["Name"], one["Value"]) for one in metric["Dimensions"])
        for metric in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    }
    assert dimensions == {(("DagId", "churn"), ("TaskId", "score"), ("ModelName", "churn"))}


def test_numbers_lie_where_the_job_ended(namespace: str, cloudwatch: Any) -> None:
    """A backfill that is told late does not look like a rush of today's."""
    publish_job_metrics(context(), ConnectedOperator(task_id="score"), replace(RESULT, ended=ENDED.isoformat()))

    asked = {"Namespace": namespace, "MetricName": "SentRows", "Period": 60, "Statistics": ["Sum"],
             "Dimensions": [{"Name": "DagId", "Value": "churn"}, {"Name": "TaskId", "Value": "score"}]}  # fmt: skip
    minute = timedelta(minutes=1)
    found = cloudwatch.get_metric_statistics(StartTime=ENDED - minute, EndTime=ENDED + minute, **asked)
    assert [point["Sum"] for point in found["Datapoints"]] == [1000]


@pytest.mark.parametrize("unset", ["", None])
def test_nothing_is_told_unless_it_is_asked_for(
    namespace: str, cloudwatch: Any, monkeypatch: pytest.MonkeyPatch, unset: str | None
) -> None:
    if unset is None:
        monkeypatch.delenv("AIRFLOW__BATCHTX__METRICS_NAMESPACE")
    else:
        monkeypatch.setenv("AIRFLOW__BATCHTX__METRICS_NAMESPACE", unset)
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)

    publish_metrics(context(), ConnectedOperator(task_id="score"), of_table(TABLE))

    assert cloudwatch.list_metrics(Namespace=namespace)["Metrics"] == []


def nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)


def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")


@pytest.mark.parametrize("trouble", [nobody_there, no_region])
def test_no_trouble_with_them_fails_a_task(
    namespace: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: Any
) -> None:
    trouble(monkeypatch)

    with caplog.at_level(logging.WARNING):
        publish_metrics(context(), ConnectedOperator(task_id="score"), of_table(TABLE))

    assert "CloudWatch was not told" in caplog.text


def test_a_result_of_nonsense_fails_no_task(namespace: str, caplog: pytest.LogCaptureFixture) -> None:
    publish_job_metrics(context(), ConnectedOperator(task_id="score"), replace(RESULT, ended="yesterday"))

    assert "CloudWatch was not told" in caplog.text


def test_a_task_waits_for_cloudwatch_no_longer_than_it_must(namespace: str) -> None:
    hook = MetricsHook(aws_conn_id="aws_default", config={"read_timeout": 60, "user_agent_extra": "mine"})

    config = hook.metrics(namespace)._client.meta.config

    assert (config.connect_timeout, config.read_timeout) == (3, 5)
    assert config.retries["total_max_attempts"] == 2
    assert "mine" in config.user_agent_extra
