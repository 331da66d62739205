"""What people see while a job runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from rich.console import Console

from airflow_batchtx.cli.screen import INTERVAL, Screen
from airflow_batchtx.control.assignment import Started
from airflow_batchtx.control.counting import Counting
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import StorageError
from airflow_batchtx.spec.uri import S3Uri
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


class Counted(InMemoryStore):
    """A store that counts its listings, and fails those that it is told to."""

    listings = 0
    fails = False

    def objects(self, prefix: S3Uri) -> Any:
        self.listings += 1
        if self.fails:
            raise StorageError(str(prefix), "SlowDown", "no")
        return super().objects(prefix)


def test_progress_costs_one_listing_an_interval() -> None:
    store = Counted({"s3://b/in/a.csv": b"1\n", "s3://b/in/b.csv": b"1\n"})
    world = World(now=BEGUN.timestamp())
    world.store = world.batch.store = store
    intent = start(world.services, assignment()).intent
    assert intent is not None
    counting, seen = Counting.of(world.services, intent, interval=INTERVAL), {**RUNNING, "TransformStartTime": BEGUN}
    store.listings = 0

    told = []
    for _ in range(30):
        told.append(counting.progress(seen))
        world.sleep(1)

    assert store.listings == 30 / INTERVAL
    assert [(one.done, one.total) for one in told if one] == [(0, 2)] * store.listings
    assert counting.progress(None) is counting.progress(RUNNING) is None


def test_progress_that_cannot_be_told_fails_nothing() -> None:
    store = Counted({"s3://b/in/a.csv": b"1\n"})
    world = World(now=datetime(2026, 1, 2, tzinfo=timezone.utc).timestamp())
    world.store = world.batch.store = store
    intent = start(world.services, assignment()).intent
    assert intent is not None
    store.fails = True

    counting = Counting.of(world.services, intent, interval=INTERVAL)

    assert counting.progress({**RUNNING, "TransformStartTime": BEGUN}) is None
