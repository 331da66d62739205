"""The command line runs without Airflow, and starts quickly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULES = [
    f"airflow_batchtx.cli.{path.stem}"
    for path in sorted((ROOT / "airflow_batchtx" / "cli").glob("*.py"))
    if path.stem not in ("__init__", "dagfile")  # that one runs in a process of its own
]


def imported_with(*modules: str) -> set[str]:
    code = f"import json, sys, {', '.join(modules)}; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout))


def test_no_module_imports_airflow() -> None:
    loaded = imported_with(*MODULES)

    assert {f"airflow_batchtx.cli.{name}" for name in ("running", "preparing", "associating", "planning")} <= loaded
    assert "airflow" not in loaded


@pytest.mark.parametrize("heavy", ["boto3", "botocore", "pyarrow", "airflow_batchtx.engine", "airflow_batchtx.control"])
def test_arguments_cost_no_more_than_arguments(heavy: str) -> None:
    assert heavy not in imported_with("airflow_batchtx.cli.main")


# As where only this package and what it needs beside Airflow is installed.
WITHOUT_AIRFLOW = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nothing())
from airflow_batchtx.cli.main import main
main()
"""


@pytest.mark.parametrize("name", ["prepare", "associate", "plan"])
def test_tables_take_no_airflow(name: str) -> None:
    command = [name, "s3://nobody/", *(["--output", "s3://nobody/out/"] if name != "plan" else [])]
    environment = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_DEFAULT_REGION": "us-east-1"}

    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_AIRFLOW, *command], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    # It comes as far as the file or the object that is not there.
    assert ran.returncode == 1
    assert "s3://nobody/" in ran.stderr
    assert "Traceback" not in ran.stderr
