"""Airflow for one run of one DAG: a home of its own, its database, `airflow dags test`."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

from airflow_batchtx.errors import LocalEngineError

_GRACE = 10.0


class Airflow:
    """Runs Airflow's command line with a home and a log of its own."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.log = home / "airflow.log"
        self._home = home
        self._environment = surroundings(home, environment)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start `airflow ...`; it is gone when the block is left, however that happens."""
        with self.log.open("ab") as log:
            # A session of its own, so that a Ctrl-C reaches the story first, which then ends the whole group.
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment, start_new_session=True,
            )  # fmt: skip
            try:
                yield process
            finally:
                _end(process)

    def expect(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for a command; one that fails is an error with the end of its log."""
        if code := process.wait():
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
            raise LocalEngineError(f"airflow ended with {code}:\n{tail}")

    def task_seconds(self, dag_id: str) -> dict[str, float]:
        """Give how long each task of the DAG's one run took, in their order, as Airflow has noted it."""
        # The database is this home's own and nobody else's; asking Airflow's command line takes many seconds.
        with closing(sqlite3.connect(f"file:{self._home / 'airflow.db'}?mode=ro", uri=True)) as database:
            query = "SELECT task_id, duration FROM task_instance WHERE dag_id = ? ORDER BY start_date"
            return dict(database.execute(query, (dag_id,)))


def surroundings(home: Path, own: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of an Airflow that has a home of its own and the example DAGs, whatever our own one says."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))},
        **own,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(example_dags()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Airflow starts itself by name.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
    }


def example_dags() -> Path:
    """The folder of the example DAGs: in a wheel inside the package, in a checkout beside it."""
    package = Path(str(files("airflow_batchtx")))
    inside = package / "example_dags"
    return inside if inside.is_dir() else package.parent / "dags"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
