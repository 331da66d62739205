"""Airflow finds the provider."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_batchtx import __version__
from airflow_batchtx.links.batch_transform import LINKS

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


def airflow(installed: Path, *arguments: str) -> list[str]:
    """Run Airflow's command line, and give the lines that it writes."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)]),
        "AIRFLOW_HOME": str(installed),
    }
    command = [sys.executable, "-m", "airflow", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def test_airflow_lists_it(installed: Path) -> None:
    (line,) = [
        line
        for line in airflow(installed, "providers", "list", "--output", "plain")
        if line.startswith("airflow-batchtx ")
    ]

    assert __version__ in line


def test_airflow_knows_its_links(installed: Path) -> None:
    listed = airflow(installed, "providers", "links", "--output", "plain")

    for link in LINKS:
        assert any(f"{type(link).__module__}.{type(link).__name__}" in line for line in listed)


def test_an_option_that_nobody_set_has_its_default(installed: Path) -> None:
    assert airflow(installed, "config", "get-value", "batchtx", "poll_interval")[-1] == "30.0"
