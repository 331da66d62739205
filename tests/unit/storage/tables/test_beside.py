from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from airflow_batchtx.storage.tables.beside import WAITING, Beside


class Kept:
    """A sink that keeps what it gets, and fails at a batch of so many rows."""

    def __init__(self, fails: int = -1) -> None:
        self.rows: list[int] = []
        self.closed = False
        self._fails = fails
        self.may = threading.Event()
        self.may.set()

    def write(self, batch: pa.RecordBatch) -> None:
        assert self.may.wait(30)
        if batch.num_rows == self._fails:
            raise OSError("full")
        self.rows.append(batch.num_rows)

    def close(self) -> None:
        self.closed = True


def batch(rows: int) -> pa.RecordBatch:
    return pa.record_batch({"a": range(rows)})


def test_batches_are_written_in_order() -> None:
    sink = Kept()
    beside = Beside(sink)
    for rows in range(1, 50):
        beside.write(batch(rows))
    beside.close()

    assert sink.rows == list(range(1, 50))
    assert sink.closed


def test_few_batches_are_taken_ahead() -> None:
    sink = Kept()
    sink.may.clear()
    beside = Beside(sink)
    for rows in range(WAITING):
        beside.write(batch(rows))
    late = threading.Thread(target=beside.write, args=(batch(9),))
    late.start()
    late.join(0.05)
    assert late.is_alive()
    sink.may.set()
    late.join()
    beside.close()

    assert sink.rows[-1] == 9


def write(beside: Beside, *rows: int) -> None:
    for count in rows:
        beside.write(batch(count))


def test_what_goes_wrong_is_raised_by_a_later_batch() -> None:
    sink = Kept(fails=3)
    beside = Beside(sink)
    with pytest.raises(OSError, match="full"):
        write(beside, *range(20))
    beside.close()

    assert sink.closed


def test_what_goes_wrong_last_is_raised_at_the_end() -> None:
    sink = Kept(fails=1)
    beside = Beside(sink)
    write(beside, 1)
    with pytest.raises(OSError, match="full"):
        beside.close()

    assert sink.closed
