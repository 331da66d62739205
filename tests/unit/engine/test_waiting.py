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


def test_work_that_was_left_alone_is_undone_when_it_has_ended() -> None:
    signal, hangs, undone = Signal(), threading.Event(), threading.Event()
    threading.Timer(0.05, signal.set).start()

    with pytest.raises(TransformStopped):
        signal.or_done(lambda: hangs.wait(30), undo=undone.set)
    early = undone.is_set()
    hangs.set()

    assert undone.wait(30)
    assert not early


def test_work_that_was_waited_for_is_not_undone() -> None:
    signal, undone = Signal(), threading.Event()

    assert signal.or_done(lambda: 3, undo=undone.set) == 3
    signal.set()

    assert not undone.is_set()


def test_a_signal_happens_once_and_for_all() -> None:
    signal = Signal()
    before = (signal.is_set(), signal.wait(0), signal.wait(-1))

    signal.set()
    signal.set()

    assert before == (False, False, False)
    assert (signal.is_set(), signal.wait(-1), signal.wait(60)) == (True, True, True)
    with pytest.raises(TransformStopped):
        signal.or_done(lambda: 3)
