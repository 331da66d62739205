"""A whole Airflow beside the tests: each of its parts a process of its own, to be killed, frozen and started again."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.e2e.airflow import guard
from tests.e2e.airflow.api import AirflowApi, Task

DAGS = Path(__file__).parent / "dags"
DATABASE = "airflow.db"
# The LocalExecutor's workers are forked from the scheduler: what that has imported no task imports again.
PRELOADING = """
import sys

if "scheduler" in sys.argv:
    import airflow_batchtx.operators.batch_transform
    import airflow_batchtx.sensors.batch_transform
    import boto3
"""
# Seconds. A start takes ten on an idle machine; on one that runs other tests as well it takes what it takes.
STARTED_WITHIN = 240

# What Airflow does every few seconds or minutes it does here as often as two busy cores bear.
QUICK = {
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # A worker whose call took long, or found SQLite locked, asks again soon instead of in a minute and a half.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "10",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "0.2",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}
# One machine, little to keep: no examples, no parsing of files that do not change, room for all scenarios at once.
SMALL = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "16",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "256",
    "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "64",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "1000",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
}


# What the scheduler logs of a task's process that has ended as it should.
GONE = re.compile(
    r"Received executor event with state success for task instance TaskInstanceKey\(dag_id='([^']*)', "
    r"task_id='([^']*)', run_id='([^']*)', try_number=(\d+), map_index=(-?\d+)\)"
)


@dataclass(frozen=True)
class Ports:
    """Where the servers of one Airflow listen."""

    core: int
    execution: int
    worker_logs: int
    trigger_logs: int


@dataclass
class Part:
    """One process of Airflow, with those it forks into its own group."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *self.command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(self.environment), start_new_session=True,
            )  # fmt: skip

    def send(self, told: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        assert self.process is not None
        os.killpg(self.process.pid, told)

    def kill(self) -> None:
        """End it as a machine that loses its power does."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Stack:
    """A running Airflow: its parts by name, and its API."""

    home: Path
    api: AirflowApi
    environment: Mapping[str, str]
    parts: dict[str, Part] = field(default_factory=dict)
    _freezing: threading.Lock = field(default_factory=threading.Lock, init=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, init=False)
    _read: int = field(default=0, init=False)
    _gone: set[tuple[str, ...]] = field(default_factory=set, init=False)

    def add(self, name: str, *command: str, **variables: str) -> Part:
        """Start a part that is not there yet."""
        log = self.home / f"{name}.log"
        self.parts[name] = part = Part(name, command, {**self.environment, **variables}, log)
        part.start()
        return part

    def check(self) -> None:
        """Fail where a part has ended by itself."""
        for part in self.parts.values():
            ended = part.process is not None and part.process.poll()
            assert not ended, f"{part.name} ended with {ended}:\n{part.tail()}"

    @contextmanager
    def frozen(self, *parts: Part) -> Iterator[None]:
        """Freeze parts for as long as the block lasts, none of them while it keeps the others from the database.

        One block at a time: whoever leaves another one thaws its parts.
        """
        with self._freezing:
            for part in parts:
                part.send(signal.SIGSTOP)
            try:
                while not self._database_is_free():
                    for told in (signal.SIGCONT, signal.SIGSTOP):
                        for part in parts:
                            part.send(told)
                        time.sleep(0.05)
                yield
            finally:
                for part in parts:
                    part.send(signal.SIGCONT)

    def _database_is_free(self) -> bool:
        with closing(sqlite3.connect(self.home / DATABASE, timeout=1, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            database.execute("ROLLBACK")
            return True

    def executor_is_done_with(self, dag_id: str, run_id: str, task: Task) -> bool:
        """Tell whether the scheduler knows that the process of a try is gone; it knows some time after its state.

        A task that is to go on before, with the same try, is taken for one that was killed.
        """
        with self._reading:
            with self.parts["scheduler"].log.open(errors="replace") as log:
                log.seek(self._read)
                self._gone |= set(GONE.findall(log.read()))
                self._read = log.tell()
            return (dag_id, task.task_id, run_id, str(task.try_number), str(task.map_index)) in self._gone

    def complaints(self, run_id: str) -> str:
        """What Airflow itself has found wrong with a run."""
        return "\n".join(
            f"{part.name}: {line[:1000]}"
            for part in self.parts.values()
            for line in part.log.read_text(errors="replace").splitlines()
            if run_id in line and ("[error" in line or "[warning" in line)
        )

    def logs(self, dag_id: str, run_id: str) -> Path:
        """Where the tasks of a run log, tries and triggers apart."""
        return self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"

    def task_log(self, dag_id: str, run_id: str) -> str:
        """All that the tasks of a run have logged, short enough to be read."""
        folder = self.logs(dag_id, run_id)
        return "\n".join(
            f"---- {path.relative_to(folder)}\n" + "\n".join(map(_readable, path.read_text().splitlines()))
            for path in sorted(folder.rglob("*.log*"))
        )


@contextmanager
def running_airflow(services: Mapping[str, str]) -> Iterator[Stack]:
    """Run a scheduler, a triggerer, a DAG processor and an API server; `services` is how they reach AWS.

    Nothing of them is left afterwards, nor when this process is killed: a guard beside it sees to that.
    """
    home = Path(tempfile.mkdtemp(prefix="batchtx-airflow-"))
    guarding = [sys.executable, "-I", guard.__file__, str(home)]
    watch = subprocess.Popen(guarding, stdin=subprocess.PIPE, start_new_session=True)
    try:
        ports = Ports(free_port(), free_port(), free_port(), free_port())
        environment = settings(home, ports, services)
        _make_home(environment, home)
        api = AirflowApi(f"http://127.0.0.1:{ports.core}")
        stack = Stack(home, api, environment)
        for name, command in {
            "core-api": _api_server("core", ports.core),
            "execution-api": _api_server("execution", ports.execution),
            "scheduler": ("scheduler",),
            "dag-processor": ("dag-processor",),
            "triggerer": ("triggerer",),
        }.items():
            stack.add(name, *command)
        _until_healthy(stack)
        with closing(api):
            yield stack
    finally:
        assert watch.stdin is not None
        watch.stdin.close()
        watch.wait()


def _readable(line: str) -> str:
    """The time and the words of a line that Airflow has logged as JSON, and the error that came with it."""
    try:
        said = json.loads(line)
    except ValueError:
        return line
    error = said.get("error_detail") or said.get("exception")
    return f"{said.get('timestamp', '')} {said.get('event', '')}" + (
        f"\n    {json.dumps(error)[:3000]}" if error else ""
    )


def settings(home: Path, ports: Ports, services: Mapping[str, str]) -> dict[str, str]:
    """The environment of all parts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_", "COV_"))}
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports.execution}/execution/",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{ports.core}",
        # Writers wait for each other instead of failing.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / DATABASE}?timeout=60",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of nobody's, as long as Airflow wants one to be",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports.worker_logs),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports.trigger_logs),
        # The title of a process shall not be written over what it was started with: the guard reads that.
        "SPT_NOENV": "1",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
    }
    return {**kept, **QUICK, **SMALL, **own, **services}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _api_server(apps: str, port: int) -> tuple[str, ...]:
    """What people ask and what workers ask are served apart.

    The audit log of the first is written on the event loop. While that waits for SQLite, no call of the second that
    holds SQLite's lock could go on in the same process.
    """
    return ("api-server", "--apps", apps, "--host", "127.0.0.1", "--port", str(port))


def _make_home(environment: Mapping[str, str], home: Path) -> None:
    settings_folder = home / "config"
    settings_folder.mkdir()
    (settings_folder / "airflow_local_settings.py").write_text(PRELOADING)
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    ran = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # Otherwise whoever reads keeps all others from writing; the file remembers it.
    with closing(sqlite3.connect(home / DATABASE)) as database:
        database.execute("PRAGMA journal_mode=WAL")


def _until_healthy(stack: Stack) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        stack.check()
        try:
            if stack.api.healthy():
                stack.api.log_in()
                if stack.api.dags():
                    return
        except httpx.TransportError:
            """The API server does not listen yet."""
        logs = "\n".join(f"==== {part.name}\n{part.tail()}" for part in stack.parts.values())
        assert time.monotonic() < deadline, f"Airflow is not healthy:\n{logs}"
        time.sleep(0.25)
