"""What every task finds of AWS: real clients of one connection, asked at an endpoint that nobody has."""

from __future__ import annotations

import pytest

from airflow_batchtx.errors import ServiceUnavailable
from airflow_batchtx.hooks.connected import ConnectedOperator
from tests.fake_models import FakeModels
from tests.fake_sagemaker import FakeHook

SETTINGS = {"connect_timeout": 1, "retries": {"total_max_attempts": 1}, "proxies": {}}


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ConnectedOperator:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    return ConnectedOperator(task_id="task", aws_conn_id=None, region_name="eu-west-1", botocore_config=SETTINGS)


def test_models_and_logs_go_where_the_connection_says(task: ConnectedOperator) -> None:
    with pytest.raises(ServiceUnavailable, match=r"model 'churn'.*127\.0\.0\.1:1"):
        task.models.describe("churn")
    with pytest.raises(ServiceUnavailable, match=r"logs of transform job 'nightly'.*127\.0\.0\.1:1"):
        task.job_logs.streams("nightly")


def test_models_are_those_of_the_jobs_client(task: ConnectedOperator) -> None:
    client = FakeModels()
    client.create_model(ModelName="churn")
    task.hook = FakeHook(client)  # type: ignore[arg-type]

    assert task.models.describe("churn")["ModelName"] == "churn"
