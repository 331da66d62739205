"""All that runs, and whether it is well."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_batchtx.cli import engine
from airflow_batchtx.cli.ui.pages import Pages
from airflow_batchtx.cli.ui.settings import HOST
from airflow_batchtx.cli.ui.watching import GONE, ILL
from airflow_batchtx.errors import LocalEngineError

# All of Airflow, and the API server that its tasks have for themselves.
AIRFLOW, TASKS = "airflow", "airflow-tasks"
_LINES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Running:
    """The engine, Airflow's processes by the names of their logs, its pages, and the home of all."""

    engine: engine.Health
    airflow: Mapping[str, subprocess.Popen[bytes]]
    pages: Pages
    home: Path

    @property
    def log(self) -> Path:
        """What Airflow prints."""
        return log_of(self.home, AIRFLOW)

    def ailing(self) -> dict[str, float]:
        """Name what does not work now, and how long that may be so; LocalEngineError where Airflow has ended."""
        self.expect()
        try:
            engine.health(HOST, self.engine.port)
        except LocalEngineError as error:
            gone = isinstance(error.__cause__, ConnectionRefusedError)
            return {"engine": GONE if gone else ILL, **self.pages.ailing()}
        return self.pages.ailing()

    def expect(self) -> None:
        """Raise LocalEngineError, with the end of its log, where Airflow has ended."""
        for name, process in self.airflow.items():
            if (code := process.poll()) is not None:
                lines = log_of(self.home, name).read_text(errors="replace").splitlines()
                tail = "\n".join(lines[-_LINES_SHOWN:])
                raise LocalEngineError(f"{name} ended with {code}:\n{tail}")


def log_of(home: Path, name: str) -> Path:
    """Say where a process of Airflow prints to."""
    return home / f"{name}.log"
