"""`make ui`, as a person runs it: what it prints is all that is known of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from airflow_batchtx.cli import engine as engines
from airflow_batchtx.cli.demo.seeding import BUCKET
from tests.e2e.airflow.api import AirflowApi
from tests.engines import Engine

ROOT = Path(__file__).parents[3]
# What the tests of this folder need of all that it would seed.
CASES = ("associate-predictions",)
# Seconds within which all of it is to be gone.
GONE_WITHIN = 60
READY = "Ctrl-C ends"


@dataclass
class UsersAirflow:
    """A running `make ui`; its address, its user, and what a test asks beside the browser."""

    url: str
    user: str
    password: str
    api: AirflowApi
    engine: Engine
    home: Path
    make: subprocess.Popen[str]
    bucket: str = BUCKET

    @property
    def token(self) -> str:
        return self.api.token

    def processes(self) -> list[int]:
        """All that it has started and that still runs, read from Linux's /proc: all of it was told of its home."""
        mark = str(self.home).encode()
        return [pid for pid, told in _told() if mark in told and pid != os.getpid()]


@contextmanager
def started(home: Path) -> Iterator[UsersAirflow]:
    """Start it with a home of its own, on ports that are free, and end it with the block."""
    port = free_port()
    options = ["--home", str(home), "--port", str(port), "--engine-port", str(free_port())]
    options += [part for case in CASES for part in ("--case", case)]
    # Whatever has become of pyproject.toml meanwhile: the tests run in this .venv too.
    command = ["make", "--no-print-directory", "--old-file", ".venv/.installed", "ui", f"UI={' '.join(options)}"]
    make = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "COLUMNS": "160"}, start_new_session=True,
    )  # fmt: skip
    try:
        said = _said(make)
        login = re.search(r"user (\S+), password (\S+)", said)
        address = re.search(r"http://([\d.]+):(\d+)/jobs", said)
        url = f"http://127.0.0.1:{port}"
        assert login, f"{said}\n{_logs(home)}"
        assert address, said
        assert url in said
        health = engines.health(address[1], int(address[2]))
        with closing(AirflowApi(url)) as api:
            api.log_in(*login.groups())
            engine = Engine(health.engine, health.storage or "", home / "engine", make)
            yield UsersAirflow(url, *login.groups(), api, engine, home, make)
    finally:
        end(make)


def end(make: subprocess.Popen[str]) -> int:
    """End it as a terminal does by Ctrl-C, which all of the foreground hears; give make's exit code."""
    if make.poll() is None:
        os.killpg(make.pid, signal.SIGINT)
    try:
        return make.wait(GONE_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(make.pid, signal.SIGKILL)
        raise


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _said(make: subprocess.Popen[str]) -> str:
    """All that it prints until it is ready, or has ended; what comes then is read on, so that it never waits."""
    assert make.stdout is not None
    lines = []
    for line in make.stdout:
        lines.append(line)
        if READY in line:
            threading.Thread(target=make.stdout.read, daemon=True).start()
            break
    return "".join(lines)


def _logs(home: Path) -> str:
    ends = {log.name: log.read_text(errors="replace").splitlines()[-60:] for log in sorted(home.glob("*.log"))}
    return "\n".join(f"---- {name}\n" + "\n".join(lines) for name, lines in ends.items())


def _told() -> Iterator[tuple[int, bytes]]:
    """What each process was started with: its command line and its environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            yield int(process.name), (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
