"""What job control finds of AWS: real clients of one connection, asked at an endpoint that nobody has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import ServiceUnavailable, StorageError
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.hooks.services import services
from airflow_batchtx.spec.uri import S3Uri

SETTINGS = {"connect_timeout": 1, "retries": {"total_max_attempts": 1}, "proxies": {}}
CALLS: dict[str, Callable[[Services], Any]] = {
    "job": lambda one: one.jobs.describe("nightly"),
    "model": lambda one: one.models.describe("nightly"),
    "logs": lambda one: one.logs.streams("nightly"),
    "object": lambda one: one.store.get(S3Uri("nightly", "object")),
}


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Services:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    task = ConnectedOperator(task_id="task", aws_conn_id=None, region_name="eu-west-1", botocore_config=SETTINGS)
    return services(task.aws)


@pytest.mark.parametrize("what", CALLS)
def test_every_call_goes_where_the_connection_says(reached: Services, what: str) -> None:
    with pytest.raises((ServiceUnavailable, StorageError), match=r"nightly.*127\.0\.0\.1:1"):
        CALLS[what](reached)


def test_the_region_is_the_connections(reached: Services) -> None:
    assert reached.jobs.region == "eu-west-1"
    assert reached.jobs.endpoint == "http://127.0.0.1:1"
