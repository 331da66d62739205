"""A client whose caller repeats calls."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from airflow_batchtx.errors import ServiceUnavailable, StorageError
from airflow_batchtx.hooks.paced import PacedHook
from airflow_batchtx.spec.uri import S3Uri

OWN = {"retries": {"mode": "adaptive", "max_attempts": 7}, "read_timeout": 5}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def config(**options: Any) -> Any:
    return PacedHook(aws_conn_id=None, region_name="us-east-1", **options).conn.meta.config


def test_a_call_is_made_once() -> None:
    hook = PacedHook(aws_conn_id=None, region_name="us-east-1")
    made = []
    hook.conn.meta.events.register("before-send.sagemaker", lambda **_: made.append(1))

    with pytest.raises(ServiceUnavailable) as caught:
        hook.describe("nightly")

    assert isinstance(caught.value.__cause__, EndpointConnectionError)
    assert len(made) == 1
    assert (hook.conn.meta.config.connect_timeout, hook.conn.meta.config.read_timeout) == (10, 30)


def test_a_users_own_settings_count() -> None:
    found = config(config=OWN)

    assert found.retries["mode"] == "adaptive"
    assert found.retries["total_max_attempts"] == 8
    assert (found.connect_timeout, found.read_timeout) == (10, 5)


def test_a_connections_settings_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROD", 'aws://?__extra__={"config_kwargs": {"read_timeout": 4}}')

    found = PacedHook(aws_conn_id="prod", region_name="us-east-1").conn.meta.config

    assert (found.read_timeout, found.retries["total_max_attempts"]) == (4, 1)


class Counting(PacedHook):
    """Keeps the sessions that clients were made with."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.given: list[Any] = []

    def get_session(self, *args: Any, **kwargs: Any) -> Any:
        self.given.append(super().get_session(*args, **kwargs))
        return self.given[-1]


def test_all_clients_come_of_one_session_each_when_it_is_first_needed() -> None:
    hook = Counting(
        aws_conn_id=None, region_name="us-east-1", config={"connect_timeout": 1, "retries": {"total_max_attempts": 1}}
    )
    services = hook.services()
    assert hook.given == []

    for call in (
        lambda: services.jobs.describe("nightly"),
        lambda: services.logs.streams("nightly"),
        lambda: services.store.get(S3Uri("nightly", "object")),
        lambda: services.store.get(S3Uri("nightly", "object")),
    ):
        with pytest.raises((ServiceUnavailable, StorageError), match=r"nightly.*127\.0\.0\.1:1"):
            call()

    assert len(hook.given) == 3
    assert len(set(map(id, hook.given))) == 1


def test_a_connection_that_is_looked_up_anew_has_a_new_session() -> None:
    hook = Counting(aws_conn_id=None, region_name="us-east-1")
    first = hook.get_session()
    hook.__dict__.pop("conn_config")

    assert hook.get_session() is not first
    assert hook.get_session() is hook.get_session()
