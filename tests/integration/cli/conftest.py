"""One engine for all tests of this room, and a shell that reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engines import Desk, Engine, running_engine

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "--ping-seconds", "3") as engine:
        yield engine


@dataclass(frozen=True)
class Shell:
    """Runs `batchtx` as a process, with what a user's environment says."""

    environment: Mapping[str, str]
    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow_batchtx.cli.main", *arguments], env=self.environment, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def told(self, *arguments: str) -> Any:
        ran = self.run(*arguments, "--json")
        assert ran.returncode == 0, ran
        return json.loads(ran.stdout)

    def write(self, request: Mapping[str, Any], name: str = "churn.json") -> str:
        (self.folder / name).write_text(json.dumps(request))
        return name


@pytest.fixture
def shell(engine: Engine, tmp_path: Path) -> Shell:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BATCHTX_"))}
    environment = {
        **clean,
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": engine.storage,
        "AWS_ENDPOINT_URL_SAGEMAKER": engine.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": "127.0.0.1",
    }
    return Shell(environment, tmp_path)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A desk with three input objects."""
    for name in "abc":
        desk.put_at(f"in/{name}.csv", b"1,2\n")
    return desk
