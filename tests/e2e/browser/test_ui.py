"""`make ui`: what it serves, to whom, and that nothing of it is left. These come last: they end what others share."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.browser.users_airflow import GONE_WITHIN, ROOT, UsersAirflow, end, started

pytestmark = [
    pytest.mark.e2e_airflow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc to look for processes"),
]


def test_all_parts_are_healthy_and_all_example_dags_are_there(airflow: UsersAirflow) -> None:
    assert airflow.api.healthy()
    found = airflow.api.get("/dags", limit=100)["dags"]
    assert {dag["relative_fileloc"] for dag in found} == {file.name for file in (ROOT / "dags").glob("*.py")}
    assert airflow.api.get("/importErrors")["import_errors"] == []


def test_examples_have_the_pool_that_they_need(airflow: UsersAirflow) -> None:
    pool = airflow.api.get("/pools/batchtx")

    assert (pool["slots"], pool["include_deferred"]) == (2, True)


def test_strangers_have_no_way_in(airflow: UsersAirflow) -> None:
    asked = httpx.get(f"{airflow.url}/api/v2/dags", trust_env=False)
    guessed = {"username": airflow.user, "password": airflow.user}

    assert asked.status_code == httpx.codes.UNAUTHORIZED
    assert httpx.post(f"{airflow.url}/auth/token", json=guessed, trust_env=False).is_client_error
    for server in (airflow.url, airflow.engine.url):
        with closing(socket.socket()) as probe:
            # Whoever listens on every address answers at this one too.
            assert probe.connect_ex(("127.0.0.2", urlsplit(server).port)) != 0


def test_ctrl_c_ends_all_of_it(airflow: UsersAirflow) -> None:
    running = commands(airflow)
    for part in ("airflow_batchtx.engine", "airflow standalone", "airflow scheduler", "airflow triggerer"):
        assert any(part in command for command in running.values()), running

    code = end(airflow.make)

    # make itself dies of the signal that the terminal has sent to both.
    assert code == -signal.SIGINT
    assert airflow.processes() == []


# What is ended, by the words that its command line has and those that it has not, and how.
ENDS = [
    ("bin/batchtx ui", "make", signal.SIGTERM),
    ("bin/batchtx ui", "make", signal.SIGKILL),
    ("airflow standalone", "keeper.py", signal.SIGKILL),
    ("airflow_batchtx.engine --home", "neighbours", signal.SIGKILL),
]


@pytest.mark.nightly
@pytest.mark.parametrize(("words", "others", "told"), ENDS, ids=str)
def test_nothing_is_left_where_a_part_is_ended(words: str, others: str, told: signal.Signals, tmp_path: Path) -> None:
    with started(tmp_path) as running:
        found = [pid for pid, command in commands(running).items() if words in command and others not in command]
        assert len(found) == 1, commands(running)

        os.kill(found[0], told)

        running.make.wait(GONE_WITHIN)
        deadline = time.monotonic() + GONE_WITHIN
        while left := commands(running):
            assert time.monotonic() < deadline, left
            time.sleep(0.1)


def commands(running: UsersAirflow) -> dict[int, str]:
    """The command line of each of its processes."""
    found = {}
    for pid in running.processes():
        with suppress(OSError):  # it has ended meanwhile
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found
