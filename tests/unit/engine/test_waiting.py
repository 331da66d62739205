from __future__ import annotations

import threading

import pytest

from airflow_batchtx.engine.waiting import Signal
from airflow_batchtx.errors import TransformStopped


def test_work_gives_what_it_gives() -> None:
    signal = Signal()

    assert signal.or_done(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        signal.or_done(lambda: 1 // 0)


def test_a_signal_ends_the_wait_for_work_that_hangs() -> None:
    signal, begun, hangs = Signal(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        hangs.wait(30)

    def interrupt() -> None:
        begun.wait(30)
        signal.set()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(TransformStopped):
        signal.or_done(work)
    assert not hangs.is_set()
    hangs.set()


def test_a_signal_happens_once_and_for_all() -> None:
    signal = Signal()
    before = (signal.is_set(), signal.wait(0), signal.wait(-1))

    signal.set()
    signal.set()

    assert before == (False, False, False)
    assert (signal.is_set(), signal.wait(-1), signal.wait(60)) == (True, True, True)
    with pytest.raises(TransformStopped):
        signal.or_done(lambda: 3)
