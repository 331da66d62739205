"""What people see while a job runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from airflow_batchtx.cli.screen import INTERVAL, Screen
from airflow_batchtx.control.assignment import Started
from airflow_batchtx.control.submission import start
from tests.fake_batch import World, assignment
from tests.fakes import InMemoryStore

BEGUN = InMemoryStore.BEGINNING
RUNNING: dict[str, Any] = {"TransformJobStatus": "InProgress", "CreationTime": BEGUN - timedelta(minutes=3)}


@pytest.fixture
def world() -> World:
    return World(life=("InProgress",), now=BEGUN.timestamp() + 1000)


@pytest.fixture
def started(world: World) -> Started:
    return start(world.services, assignment())


def screen(*, terminal: bool, quiet: bool = False) -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    return Screen(Console(file=file, force_terminal=terminal, width=200), quiet=quiet), file


def test_a_bar_counts_objects(world: World, started: Started) -> None:
    shown, file = screen(terminal=True)
    world.put("s3://b/out/a.csv.out")

    with shown.following(world.services, started) as report:
        report(RUNNING)
        world.sleep(INTERVAL)
        report({**RUNNING, "TransformStartTime": BEGUN})

    assert "provisioning" in file.getvalue()
    assert "1 of 3 objects, about" in file.getvalue()


def test_lines_where_there_is_no_terminal(world: World, started: Started) -> None:
    shown, file = screen(terminal=False)

    with shown.following(world.services, started) as report:
        report(RUNNING)
        report({**RUNNING, "TransformStartTime": BEGUN})

    assert [line.split(",")[0] for line in file.getvalue().splitlines()] == [
        f"Transform job {started.job_name} is provisioning", f"Transform job {started.job_name} is transforming",
    ]  # fmt: skip


def test_quiet(world: World, started: Started) -> None:
    shown, file = screen(terminal=True, quiet=True)

    with shown.following(world.services, started) as report:
        report({**RUNNING, "TransformStartTime": BEGUN})

    assert file.getvalue() == ""
