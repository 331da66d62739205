"""One engine for all contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import Engine, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine
