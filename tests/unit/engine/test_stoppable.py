from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_batchtx.engine.stoppable import StoppableStore
from airflow_batchtx.engine.waiting import Signal
from airflow_batchtx.errors import TransformStopped
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from tests.fakes import InMemoryStore

HERE, THERE, FOLDER = S3Uri("b", "in/a"), S3Uri("b", "in/b"), S3Uri("b", "in/")


def written(store: ObjectStore, uri: S3Uri) -> None:
    with store.writer(uri) as target:
        target.write(b"2")


def read(store: ObjectStore, uri: S3Uri) -> bytes:
    with store.reader(uri) as source:
        return source.read()


CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "objects": lambda store: [found.uri for found in store.objects(FOLDER)],
    "stat": lambda store: store.stat(HERE).size,
    "reader": lambda store: read(store, HERE),
    "writer": lambda store: written(store, THERE),
    "get": lambda store: store.get(HERE),
    "get_range": lambda store: store.get_range(HERE, 0, 1),
    "put": lambda store: store.put(THERE, b"2"),
    "delete": lambda store: store.delete([HERE]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_store_does_what_it_is_asked_until_it_is_to_stop(name: str) -> None:
    plain, inner, late, stopping = (*(InMemoryStore({str(HERE): b"1"}) for _ in range(3)), Signal())

    found = CALLS[name](StoppableStore(inner, stopping))
    stopping.set()
    with pytest.raises(TransformStopped):
        CALLS[name](StoppableStore(late, stopping))

    assert found == CALLS[name](plain)
    assert inner.bodies == plain.bodies
    assert late.bodies == {HERE: b"1"}


def test_what_is_open_stops_too() -> None:
    inner, stopping = InMemoryStore({str(HERE): b"12", str(THERE): b"34"}), Signal()
    store = StoppableStore(inner, stopping)
    listing = store.objects(FOLDER)

    with store.reader(HERE) as source:
        assert (source.size, source.read(1), next(listing).uri) == (2, b"1", HERE)
        stopping.set()
        with pytest.raises(TransformStopped):
            source.read(1)
        with pytest.raises(TransformStopped):
            source.readinto(bytearray(1))
        with pytest.raises(TransformStopped):
            next(listing)


def test_nothing_is_written_that_was_begun_before() -> None:
    inner, stopping = InMemoryStore({str(HERE): b"12"}), Signal()

    def begun() -> None:
        with StoppableStore(inner, stopping).writer(THERE) as target:
            target.write(b"2")
            stopping.set()

    with pytest.raises(TransformStopped):
        begun()
    assert THERE not in inner.bodies
