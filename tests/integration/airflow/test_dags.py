"""Every example DAG parses on a machine with neither a network nor credentials, and says what it is for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "dags").glob("*.py"))
# Sockets raise, so that a DAG that asks anybody anything while it is parsed is found out.
PARSE = """
import json, socket, sys

def refuse(*_):
    raise AssertionError("a DAG file opened a connection")

socket.socket.connect = refuse
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print()
print(json.dumps({
    "errors": bag.import_errors,
    "dags": {
        name: {
            "file": dag.fileloc,
            "doc": dag.doc_md,
            "downstream": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
        }
        for name, dag in bag.dags.items()
    },
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Parse all of them at once: a process that imports Airflow takes seconds."""
    home = tmp_path_factory.mktemp("home")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW"))}
    environment = clean | {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT), "AWS_EC2_METADATA_DISABLED": "true"}
    ran = subprocess.run(
        [sys.executable, "-c", PARSE, str(ROOT / "dags")], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def test_there_are_examples() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_parses_and_is_documented(found: dict[str, Any], file: Path) -> None:
    assert file.name not in {Path(name).name for name in found["errors"]}, found["errors"]
    dags = [dag for dag in found["dags"].values() if Path(dag["file"]) == file]
    assert dags
    assert all(dag["doc"] for dag in dags)


def test_late_payments_chains_its_three_tasks(found: dict[str, Any]) -> None:
    assert found["dags"]["late_payments"]["downstream"] == {
        "prepare": ["transform"],
        "transform": ["associate"],
        "associate": [],
    }
