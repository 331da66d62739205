"""Airflow finds the provider."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_batchtx import __version__

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that looks to Python as an installation of this distribution does, wherever the package itself lies."""
    there = tmp_path / f"airflow_batchtx-{__version__}.dist-info"
    there.mkdir()
    (there / "METADATA").write_text(f"Metadata-Version: 2.1\nName: airflow-batchtx\nVersion: {__version__}\n")
    point = "[apache_airflow_provider]\nprovider_info = airflow_batchtx.provider_info:get_provider_info\n"
    (there / "entry_points.txt").write_text(point)
    return tmp_path


def test_airflow_lists_it(installed: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)]),
        "AIRFLOW_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "airflow", "providers", "list", "--output", "plain"]

    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    (line,) = [line for line in run.stdout.splitlines() if line.startswith("airflow-batchtx ")]
    assert __version__ in line
