"""All that runs, and whether it is well."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from airflow_batchtx.cli import engine
from airflow_batchtx.cli.ui.pages import Pages
from airflow_batchtx.cli.ui.settings import HOST
from airflow_batchtx.cli.ui.watching import GONE, ILL
from airflow_batchtx.errors import LocalEngineError

_LINES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Running:
    """The engine, Airflow's process and its pages, and the home of both."""

    engine: engine.Health
    airflow: subprocess.Popen[bytes]
    pages: Pages
    home: Path

    @property
    def log(self) -> Path:
        """What Airflow prints."""
        return self.home / "airflow.log"

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
        if (code := self.airflow.poll()) is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:])
            raise LocalEngineError(f"airflow standalone ended with {code}:\n{tail}")
