"""How far a job is, by what it has written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_batchtx.control.counting import Counting
from airflow_batchtx.control.ledger import INTENT, SENT
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import StorageError
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment
from tests.fakes import InMemoryStore

INTERVAL = 5.0


class Counted(InMemoryStore):
    """A store that counts its listings, tells what was `read`, and fails those that it is told to."""

    listings = 0
    fails = False
    listed: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.read: list[str] = []
        super().__init__(objects)

    def get(self, uri: S3Uri) -> bytes:
        self.read.append(uri.name)
        return super().get(uri)

    def objects(self, prefix: S3Uri) -> Any:
        self.listings += 1
        self.listed()
        if self.fails:
            raise StorageError(str(prefix), "SlowDown", "no")
        return super().objects(prefix)


@pytest.fixture
def counted() -> tuple[World, Counted, Counting]:
    store = Counted({"s3://b/in/a.csv": b"1\n", "s3://b/in/b.csv": b"1\n", "s3://b/out/old.out": b"of last week"})
    world = World(life=("InProgress",))
    world.store = world.batch.store = store
    started = start(world.services, assignment())
    counting = Counting(world.services, started.job_name, started.folder, INTERVAL)
    store.listings = 0
    return world, store, counting


def test_progress_costs_one_listing_an_interval(counted: tuple[World, Counted, Counting]) -> None:
    world, store, counting = counted
    world.put("s3://b/out/a.csv.out")

    told = []
    for _ in range(30):
        world.sleep(1)
        told.append(counting.progress())

    assert store.listings == 30 / INTERVAL
    assert [(one.done, one.total) for one in told if one] == [(1, 2)] * store.listings


def test_long_listings_are_a_twentieth_of_the_time(counted: tuple[World, Counted, Counting]) -> None:
    world, store, counting = counted
    store.listed = lambda: world.sleep(1)
    began = world.now

    while world.now < began + 200:
        world.sleep(1)
        counting.progress()

    assert store.listings == 200 / 20


def test_what_was_done_before_this_process_looked_on_took_its_time(counted: tuple[World, Counted, Counting]) -> None:
    world, store, first = counted
    world.put("s3://b/out/a.csv.out")
    world.now = store.now.timestamp() + 3600
    adopted = Counting(world.services, first.job_name, first.folder, INTERVAL)
    world.sleep(INTERVAL)

    told = adopted.progress()

    assert told is not None
    assert told.seconds_left == pytest.approx(3600, rel=0.01)


def test_what_was_there_before_does_not_count(counted: tuple[World, Counted, Counting]) -> None:
    world, _, counting = counted
    world.sleep(INTERVAL)

    assert counting.progress() is None


def test_progress_that_cannot_be_told_fails_nothing(counted: tuple[World, Counted, Counting]) -> None:
    world, store, counting = counted
    world.put("s3://b/out/a.csv.out")
    store.fails = True
    world.sleep(INTERVAL)
    assert counting.progress() is None

    store.fails = False
    world.sleep(INTERVAL)
    assert counting.progress() is not None


def test_the_intent_which_may_be_large_is_never_read(counted: tuple[World, Counted, Counting]) -> None:
    world, store, counting = counted
    world.put("s3://b/out/a.csv.out")
    store.read.clear()
    for _ in range(3):
        world.sleep(INTERVAL)
        assert counting.progress() is not None

    assert INTENT not in store.read
    assert SENT in store.read


@pytest.mark.parametrize("body", [None, b"", b"{}", b"[]", b'{"objects": 2, "output": "nowhere"}'])
def test_without_what_was_sent_there_is_no_progress(
    counted: tuple[World, Counted, Counting], body: bytes | None
) -> None:
    world, store, counting = counted
    world.put("s3://b/out/a.csv.out")
    store.delete([counting.folder / SENT])
    if body is not None:
        store.put(counting.folder / SENT, body)
    world.sleep(INTERVAL)

    assert counting.progress() is None
