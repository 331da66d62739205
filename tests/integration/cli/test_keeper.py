"""A command that is kept, with children that leave it as Airflow's do: whatever ends, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_batchtx.cli.ui.kept import kept

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")

# Writes the number of a child, which has a session of its own and heeds no signal that it may ignore.
AIRFLOW = """
import pathlib, signal, subprocess, sys, time

STUBBORN = "import signal, time; [signal.signal(one, signal.SIG_IGN) for one in (2, 15, 1)]; time.sleep(600)"
how, pids = sys.argv[1], pathlib.Path(sys.argv[2])
if how == "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
pids.with_suffix(".part").write_text(str(child.pid))
pids.with_suffix(".part").rename(pids)
if how == "crashing":
    sys.exit(7)
try:
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
# Keeps it until it is killed itself.
USER = """
import os, pathlib, sys, time
from airflow_batchtx.cli.ui.kept import kept

with kept(sys.argv[2:], environment=os.environ, log=pathlib.Path(sys.argv[1])):
    time.sleep(600)
"""


def airflow(how: str, pids: Path) -> list[str]:
    return [sys.executable, "-c", AIRFLOW, how, str(pids)]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(pids: Path) -> bool:
    try:
        # Of one that is dead and that nobody has asked after, it is empty.
        return not Path(f"/proc/{pids.read_text()}/environ").read_bytes()
    except OSError:
        return True


@pytest.mark.parametrize(("how", "said"), [("heeding", "interrupted\n"), ("stubborn", "")])
def test_nothing_is_left_of_it(how: str, said: str, tmp_path: Path) -> None:
    pids, log = tmp_path / "pids", tmp_path / "log"

    with kept(airflow(how, pids), environment=os.environ, log=log, grace=0.5 if how == "stubborn" else 60) as process:
        until(pids.exists)
        assert process.poll() is None

    assert process.poll() is not None
    assert is_gone(pids)
    assert log.read_text() == said


def test_nothing_is_left_where_it_ends_by_itself(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    with kept(airflow("crashing", pids), environment=os.environ, log=tmp_path / "log") as process:
        assert process.wait(60) == 7
        assert is_gone(pids)


@pytest.mark.parametrize("told", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_where_its_user_is_gone(told: signal.Signals, tmp_path: Path) -> None:
    pids, log = tmp_path / "pids", tmp_path / "log"
    user = subprocess.Popen([sys.executable, "-c", USER, str(log), *airflow("heeding", pids)])
    until(pids.exists)

    user.send_signal(told)

    assert user.wait(60) == -told
    until(lambda: is_gone(pids))
    assert log.read_text() == "interrupted\n"


def test_it_hears_the_signal_where_its_user_does_not(tmp_path: Path) -> None:
    """A shell starts what stands before an & with SIGINT ignored, and what is ignored is handed on."""
    pids, log = tmp_path / "pids", tmp_path / "log"
    shell = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", shell, sys.executable, "-c", USER, str(log), *airflow("heeding", pids)]
    )
    until(pids.exists)

    user.kill()
    user.wait()

    until(lambda: is_gone(pids))
    assert log.read_text() == "interrupted\n"
