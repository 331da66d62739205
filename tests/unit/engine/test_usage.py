from __future__ import annotations

import os
import threading
from itertools import count
from pathlib import Path

import pytest

from airflow_batchtx.engine.usage import Meter, Usage, metered

TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def process(proc: Path, pid: int, parent: int, ticks: tuple[int, int, int, int], pages: int) -> None:
    """Write what Linux shows of a process; its name is meant to confuse."""
    fields = ["S", parent, *[0] * 9, *ticks, *[0] * 6, pages, 0]
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "stat").write_text(f"{pid} (a ) b (1) {' '.join(map(str, fields))}\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text(f"MemTotal:     {PAGE * 1000 // 1024} kB\nMemFree: 1 kB\n")
    process(tmp_path, 10, 1, (0, 0, 0, 0), 50)
    process(tmp_path, 11, 10, (0, 0, 0, 0), 100)
    process(tmp_path, 12, 11, (0, 0, 0, 0), 100)
    process(tmp_path, 99, 1, (5 * TICKS, 0, 0, 0), 900)
    return tmp_path


def test_a_process_and_all_below_it_are_measured_and_nobody_else(proc: Path) -> None:
    meter = Meter(10, proc, count(0, 2).__next__)
    process(proc, 10, 1, (TICKS, 0, 0, 0), 50)
    process(proc, 12, 11, (TICKS, TICKS, TICKS, 0), 150)
    process(proc, 99, 1, (90 * TICKS, 0, 0, 0), 900)

    # Four seconds of CPU in two, 300 pages of 1000.
    assert meter.read() == Usage(200.0, 30.0)


def test_cpu_is_that_since_the_last_reading_and_never_less_than_none(proc: Path) -> None:
    meter = Meter(10, proc, count(0, 2).__next__)
    process(proc, 12, 11, (TICKS, 0, 0, 0), 100)
    first = meter.read()
    (proc / "12" / "stat").unlink()

    assert first == Usage(50.0, 25.0)
    assert meter.read() == Usage(0.0, 15.0)


def test_without_proc_nothing_is_measured(tmp_path: Path) -> None:
    assert Meter(1, tmp_path, count().__next__).read() is None


def test_this_process_is_told_at_the_end_of_the_block() -> None:
    told: list[Usage] = []
    with metered(told.append):
        sum(range(100_000))
        assert told == []

    (usage,) = [Usage.from_json(one.to_json()) for one in told]
    assert usage.cpu >= 0
    assert 0 < usage.memory < 100


def test_a_long_block_is_told_of_while_it_lasts() -> None:
    told: list[Usage] = []
    thrice = threading.Event()

    def tell(usage: Usage) -> None:
        told.append(usage)
        if len(told) == 3:
            thrice.set()

    with metered(tell, period=0.001):
        assert thrice.wait(10)


def test_nobody_has_to_listen() -> None:
    def gone(_: Usage) -> None:
        raise BrokenPipeError

    with metered(gone):
        pass
