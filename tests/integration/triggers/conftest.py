"""One engine for all tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import Engine, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine


@pytest.fixture(autouse=True)
def aws(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What triggers find in the environment of a triggerer."""
    for name, value in {
        "AWS_ENDPOINT_URL": engine.storage,
        "AWS_ENDPOINT_URL_SAGEMAKER": engine.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
