"""What an Airflow of one's own is told: its ports, its connection, its user."""

from __future__ import annotations

import json
import secrets
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from airflow_batchtx.cli import engine
from airflow_batchtx.cli.demo.airflow import surroundings

HOST = "127.0.0.1"
USER = "admin"
# What the examples that are backfilled bound their jobs by, and how many there may be at once.
POOL = ("batchtx", 2)
# Airflow's simple auth manager keeps passwords here, below its home.
_PASSWORDS = "simple_auth_manager_passwords.json.generated"
_DATABASE = "airflow.db"
# Seconds that a write to SQLite waits for another one's end. By itself it waits 5, and a triggerer that gets nothing in
# them ends; one that waits for 60 takes its triggers for dead.
_PATIENCE = 20
# Of one machine, and not all of it.
_SMALL = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    # On a busy machine a job may end before the scheduler hears that its task was deferred, which Airflow 3.3 takes for
    # a failure. The next try finds the job as it is.
    "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "1",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    # A task whose call found SQLite locked asks again soon, not in minutes.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "0.5",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "5",
}


def settings(home: Path, port: int, tasks_port: int, found: engine.Health, bucket: str) -> dict[str, str]:
    """Give the environment of an Airflow whose pages are at a port of this machine, for it alone.

    Its tasks have an API server of their own at `tasks_port`: where pages and tasks share one, a click's note in the
    audit log waits for the end of a task's write, in the very loop that would end it.
    """
    variables = engine.environment(found)
    own = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.absolute() / _DATABASE}?timeout={_PATIENCE}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{tasks_port}/execution/",
        # Another Airflow of this machine may have the usual ones.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW_CONN_AWS_DEFAULT": _connection(variables),
        "AIRFLOW_VAR_BATCHTX_BUCKET": bucket,
    }
    return surroundings(home, {**variables, **_SMALL, **own})


def _connection(variables: Mapping[str, str]) -> str:
    """Write the connection that leads to the engine, as Airflow reads it."""
    extra = {
        "region_name": variables["AWS_DEFAULT_REGION"],
        "endpoint_url": variables["AWS_ENDPOINT_URL"],
        "service_config": {"sagemaker": {"endpoint_url": variables["AWS_ENDPOINT_URL_SAGEMAKER"]}},
    }
    login, password = variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
    return json.dumps({"conn_type": "aws", "login": login, "password": password, "extra": extra})


def password(home: Path) -> str:
    """Give the password of the user, which is made once for a home."""
    file = home / _PASSWORDS
    known = json.loads(file.read_text()) if file.exists() else {}
    if USER not in known:
        file.touch(mode=0o600)
        known[USER] = secrets.token_urlsafe(9)
        file.write_text(json.dumps(known) + "\n")
    return str(known[USER])


def make_database(home: Path) -> None:
    """Let those who read Airflow's database and those who write it not wait for each other; the file remembers it."""
    with closing(sqlite3.connect(home / _DATABASE)) as database:
        database.execute("PRAGMA journal_mode=WAL")


def free_port(wanted: int = 0) -> int:
    """Give a port of this machine that nobody has: the one that is wanted, if so."""
    try:
        return _tried(wanted)
    except OSError:
        return _tried(0)


def _tried(port: int) -> int:
    with closing(socket.socket()) as probe:
        # As a server does: a port whose last connections are only dying is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return int(probe.getsockname()[1])
