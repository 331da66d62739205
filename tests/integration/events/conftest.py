"""One engine for all tests of this room, with moto's queues beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import Engine, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine
