"""Commands on a tether end with whoever holds it, and are cleaned up after."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from airflow_batchtx.modelserver.tethered import Tethered, last_line
from tests.integration.modelserver.test_handlerprocess import eventually_gone

# Tells its own process and that of a child, which outlives a mere SIGTERM.
LASTING = "echo $$; (trap '' TERM; exec sleep 600) & echo $!; wait"


def pids(log: Path) -> list[int]:
    deadline = time.monotonic() + 30
    while not log.exists() or len(log.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(pid) for pid in log.read_text().split()]


def run(folder: Path, script: str, afterwards: str | None = None) -> Tethered:
    clean = ["sh", "-c", afterwards] if afterwards else None
    command = ["sh", "-c", script]
    return Tethered(command, log=folder / "log", environment=os.environ, folder=folder, afterwards=clean)


def test_a_command_that_ends_gives_its_status(tmp_path: Path) -> None:
    command = run(tmp_path, "echo one; echo two >&2; exit 7", "pwd > after; echo done")

    assert command.wait() == command.status() == 7
    assert last_line(tmp_path / "log") == "two"
    assert (tmp_path / "after").read_text() == f"{tmp_path.resolve()}\n"
    command.close()


def test_closing_ends_the_command_and_its_children(tmp_path: Path) -> None:
    command = run(tmp_path, LASTING, "echo once >> after; cat after")
    found = pids(tmp_path / "log")
    assert command.status() is None

    command.close()
    command.close()

    assert eventually_gone(*found)
    assert (tmp_path / "after").read_text() == "once\n"


def test_what_cleans_up_is_tried_again_where_it_finds_nothing(tmp_path: Path) -> None:
    run(tmp_path, "true", "echo once >> after").wait()

    assert (tmp_path / "after").read_text() == "once\nonce\n"


PARENT = """
import os, sys, time
from pathlib import Path
from airflow_batchtx.modelserver.tethered import Tethered
folder = Path(sys.argv[1])
clean = ["sh", "-c", "echo cleaned | tee after"]
Tethered(["sh", "-c", sys.argv[2]], log=folder / "log", environment=os.environ, folder=folder, afterwards=clean)
time.sleep(600)
"""


def test_a_killed_parent_ends_the_command(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), LASTING]) as parent:
        found = pids(tmp_path / "log")
        parent.kill()

    assert eventually_gone(*found)
    assert eventually((tmp_path / "after").exists)


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()
