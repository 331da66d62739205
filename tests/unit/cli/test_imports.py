"""The command line runs without Airflow, and starts quickly."""

from __future__ import annotations

import json
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

    assert "airflow_batchtx.cli.running" in loaded
    assert "airflow" not in loaded


@pytest.mark.parametrize("heavy", ["boto3", "botocore", "pyarrow", "airflow_batchtx.engine", "airflow_batchtx.control"])
def test_arguments_cost_no_more_than_arguments(heavy: str) -> None:
    assert heavy not in imported_with("airflow_batchtx.cli.main")
