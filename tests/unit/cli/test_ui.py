"""The parts of `batchtx ui` that need nothing to run."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_batchtx.cli.engine import Health
from airflow_batchtx.cli.ui.pages import Pages, Parsed
from airflow_batchtx.cli.ui.settings import HOST, USER, free_port, password, settings
from airflow_batchtx.cli.ui.watching import GONE, until_lost

HERE = Health("http://127.0.0.1:8900", "http://127.0.0.1:8901", "http://127.0.0.1:8901", "eu-west-1", "1")


class Parts:
    """What ails at each look, and a clock that passes while somebody sleeps."""

    def __init__(self, *looks: Mapping[str, float]) -> None:
        self.looks = list(looks)
        self.now = 0.0

    def look(self) -> Mapping[str, float]:
        return self.looks.pop(0)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("looks", "lost", "seconds"),
    [
        ([{}, {"engine": 2}, {"engine": 2}, {"engine": 2}], ("engine",), 3.0),
        # What comes to itself meanwhile has all the time again.
        ([{"scheduler": 2}, {"scheduler": 2}, {}, *[{"scheduler": 2}] * 3], ("scheduler",), 5.0),
        ([{"a": 2}, {"a": 2, "b": 2}, {"b": 2}, {"b": 2}], ("b",), 3.0),
        # Slow at first, and then gone.
        ([{"api_server": 9}, {"api_server": 9}, {"api_server": 2}], ("api_server",), 2.0),
    ],
)
def test_what_ails_for_too_long_is_lost(
    looks: list[Mapping[str, float]], lost: tuple[str, ...], seconds: float
) -> None:
    parts = Parts(*looks)

    assert until_lost(parts.look, clock=lambda: parts.now, sleep=parts.sleep, pause=1.0) == lost
    assert parts.now == seconds


def test_nobody_answers() -> None:
    pages = Pages(HOST, free_port(), USER, "secret")

    assert pages.ailing() == {"api_server": GONE}
    assert pages.cold() == ("api_server",)
    assert pages.unread(["a.py"]) == ("a.py",)


def test_files_are_read_or_broken() -> None:
    parsed = Parsed(dags=("a",), files=frozenset({"a.py"}), broken=("b.py",))

    assert parsed.lacks(["a.py", "b.py", "c.py"]) == ("c.py",)


def test_a_home_has_one_password_that_is_nobody_elses(tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()

    first = password(tmp_path)

    assert password(tmp_path) == first != password(other)
    assert [file.stat().st_mode & 0o077 for file in tmp_path.glob("*.generated")] == [0]


def test_a_port_that_is_taken_is_another() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert free_port(port) != port
    assert free_port(port) == port


def test_airflow_is_told_of_the_engine_and_of_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production")
    monkeypatch.setenv("AWS_PROFILE", "production")

    told = settings(tmp_path, 8080, 8081, HERE, "a-bucket")

    assert not [value for value in told.values() if "production" in value]
    assert (told["AIRFLOW_HOME"], told["AIRFLOW__API__HOST"]) == (str(tmp_path), HOST)
    assert told["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"http://{HOST}:8081/execution/"
    connection = json.loads(told["AIRFLOW_CONN_AWS_DEFAULT"])
    assert connection["extra"]["endpoint_url"] == HERE.storage
    assert connection["extra"]["service_config"]["sagemaker"]["endpoint_url"] == HERE.engine
    assert told["AIRFLOW_VAR_BATCHTX_BUCKET"] == "a-bucket"
