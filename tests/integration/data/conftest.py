"""One engine for all tests of this room, and the Airflow connection by which tasks reach S3."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.engines import Engine, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine


@pytest.fixture
def connection(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    value = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(value))
    return "lake"
