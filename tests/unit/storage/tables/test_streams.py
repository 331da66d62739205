from __future__ import annotations

import io
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.errors import ObjectChanged, StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.tables import parquet
from airflow_batchtx.storage.tables.streams import COPY, RangedFile, spooled
from tests.fakes import InMemoryStore, OpenObject

URI = S3Uri("b", "k")
ROWS = 200_000


def body(seed: int, rows: int) -> bytes:
    chance, file = random.Random(seed), io.BytesIO()
    columns = {f"x{at}": pa.array([chance.random() for _ in range(rows)]) for at in range(6)}
    pq.write_table(pa.table(columns), file, use_dictionary=False, compression="none", row_group_size=rows // 8)
    return file.getvalue()


@pytest.fixture(scope="module")
def large() -> bytes:
    found = body(1, ROWS)
    assert len(found) > parquet.SHORT
    return found


class Slow(InMemoryStore):
    """Gives the first half of an object, and the rest as soon as `goes_on` is set; unless it `fails` instead."""

    def __init__(self, content: bytes, fails: Exception | None = None) -> None:
        super().__init__({str(URI): content})
        self.goes_on, self.fails, self.given = threading.Event(), fails, 0

    @contextmanager
    def reader(self, uri: S3Uri) -> Iterator[OpenObject]:
        store, half = self, len(self.get(uri)) // 2

        class Halting(OpenObject):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() >= half:
                    if store.fails:
                        raise store.fails
                    if not store.goes_on.wait(30):
                        raise TimeoutError
                store.given += 1
                return super().read(size)

        yield Halting(self.get(uri))


def test_rows_are_read_before_the_object_is_there(large: bytes) -> None:
    store = Slow(large)

    with parquet.opened(store, URI) as table:
        found = table.batches(["x0", "x5"])
        batches = [next(found)]
        assert (table.rows, store.goes_on.is_set()) == (ROWS, False)
        store.goes_on.set()
        batches += found

    assert pa.Table.from_batches(batches).equals(pq.read_table(io.BytesIO(large), columns=["x0", "x5"]))


def test_what_goes_wrong_on_the_way_is_raised_as_it_is(large: bytes) -> None:
    store = Slow(large, StorageError(str(URI), "SlowDown", "Please reduce your request rate."))

    with pytest.raises(StorageError, match="SlowDown"), parquet.opened(store, URI) as table:
        list(table.batches(["x0"]))


def test_what_goes_wrong_behind_the_last_row_that_was_read_is_raised_too(large: bytes) -> None:
    store = Slow(large, StorageError(str(URI), "SlowDown", "Please reduce your request rate."))

    with pytest.raises(StorageError, match="SlowDown"), parquet.opened(store, URI) as table:
        next(table.batches(["x0"]))


def test_who_stops_early_waits_for_no_more(large: bytes) -> None:
    store = Slow(large)

    def stop_early() -> None:
        with parquet.opened(store, URI) as table:
            next(table.batches(["x0"]))
            threading.Timer(0.1, store.goes_on.set).start()
            raise LookupError

    with pytest.raises(LookupError):
        stop_early()

    assert store.given <= len(large) // 2 // COPY + 2


def test_an_object_that_is_written_anew_meanwhile_is_told_of(large: bytes) -> None:
    class Changed(InMemoryStore):
        def get_range(self, uri: S3Uri, start: int, size: int) -> bytes:
            return body(2, ROWS)[start : start + size]

    with pytest.raises(ObjectChanged), parquet.opened(Changed({str(URI): large}), URI) as table:
        list(table.batches(["x0"]))


@pytest.mark.parametrize("size", [0, 1, COPY, COPY + 1, 3 * COPY])
def test_a_file_is_read_from_anywhere(size: int) -> None:
    content = random.Random(size).randbytes(size)
    store = InMemoryStore({str(URI): content})

    with spooled(store, URI) as file:
        assert (file.seek(-min(size, 5), io.SEEK_END), file.read()) == (max(size - 5, 0), content[-5:] if size else b"")
        assert (file.seek(0), file.read(3), file.tell()) == (0, content[:3], min(size, 3))
        assert (file.seek(size), file.read(9)) == (size, b"")
        assert file.seek(0) == 0
        assert file.read() == content


def test_a_ranged_file_fills_what_it_is_given() -> None:
    file: Any = RangedFile(InMemoryStore({str(URI): b"0123456789"}), URI, 10)
    buffer = bytearray(4)

    assert (file.seek(8), file.readinto(buffer), bytes(buffer[:2])) == (8, 2, b"89")
