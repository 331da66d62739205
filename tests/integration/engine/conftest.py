"""One engine and one model server for all tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.engines import Desk, Engine, Models, model_server, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine


@pytest.fixture(scope="session")
def models() -> Iterator[Models]:
    with model_server() as models:
        yield models


@pytest.fixture
def desk(engine: Engine, models: Models) -> Desk:
    """A desk with a bucket of its own."""
    bucket = f"bucket-{uuid4().hex[:12]}"
    engine.s3.create_bucket(Bucket=bucket)
    return Desk(engine, models, bucket)
