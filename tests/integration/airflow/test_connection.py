"""Whatever a connection says holds for every client that is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.hooks.storage import StorageHook
from tests.fake_sagemaker import FakeSageMaker, served

pytestmark = pytest.mark.airflow

HOOKS = [BatchTransformHook, StorageHook]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch, airflow_database: None) -> Any:
    """Define the connection `prod`, in a process that has no AWS settings of its own."""
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def define(**extra: Any) -> None:
        said = {"conn_type": "aws", "login": "AKIAPROD", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_PROD", json.dumps(said))

    return define


@pytest.mark.parametrize("kind", HOOKS)
def test_every_setting_of_the_connection_counts(kind: Any, connection: Any) -> None:
    connection(
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:5999",
        verify=False,
        config_kwargs={"retries": {"mode": "standard", "total_max_attempts": 7}, "read_timeout": 11},
    )

    hook = kind(aws_conn_id="prod")

    client = hook.conn
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-1", "http://127.0.0.1:5999")
    assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 7}
    assert client.meta.config.read_timeout == 11
    assert client._request_signer._credentials.access_key == "AKIAPROD"
    assert hook.verify is False


@pytest.mark.parametrize("kind", HOOKS)
def test_arguments_overrule_it(kind: Any, connection: Any) -> None:
    connection(region_name="eu-west-1", verify=False, config_kwargs={"read_timeout": 11})

    hook = kind(aws_conn_id="prod", region_name="us-west-2", verify=True, config={"read_timeout": 7})

    assert (hook.conn.meta.region_name, hook.conn.meta.config.read_timeout, hook.verify) == ("us-west-2", 7, True)


@pytest.mark.parametrize(("kind", "service"), [(BatchTransformHook, "sagemaker"), (StorageHook, "s3")])
def test_an_endpoint_for_one_service(kind: Any, service: str, connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5998")
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", "http://127.0.0.1:5999")

    connection(region_name="eu-west-1")
    assert kind(aws_conn_id="prod").conn.meta.endpoint_url == "http://127.0.0.1:5999"

    connection(region_name="eu-west-1", service_config={service: {"endpoint_url": "http://127.0.0.1:5997"}})
    assert kind(aws_conn_id="prod").conn.meta.endpoint_url == "http://127.0.0.1:5997"


def test_the_role_of_the_connection_is_assumed(connection: Any, s3_endpoint: str) -> None:
    connection(
        region_name="eu-west-1",
        role_arn="arn:aws:iam::123456789012:role/scoring",
        service_config={"sts": {"endpoint_url": s3_endpoint}},
    )

    credentials = BatchTransformHook(aws_conn_id="prod").conn._request_signer._credentials

    assert credentials.method == "sts-assume-role"
    assert credentials.get_frozen_credentials().access_key not in {"AKIAPROD", "testing"}


def test_a_call_goes_where_the_connection_points(connection: Any) -> None:
    fake = FakeSageMaker()
    fake.add("nightly", ["Completed"])
    with served(fake) as url:
        connection(region_name="eu-west-1", service_config={"sagemaker": {"endpoint_url": url}})

        assert BatchTransformHook(aws_conn_id="prod").describe("nightly")["TransformJobStatus"] == "Completed"
