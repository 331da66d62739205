"""One engine for all tests of this room, and Step Functions that calls it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import Engine, running_engine
from tests.state_machines import StepFunctions, step_functions


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine


@pytest.fixture(scope="session")
def states(engine: Engine) -> Iterator[StepFunctions]:
    with step_functions(engine.url) as states:
        yield states
