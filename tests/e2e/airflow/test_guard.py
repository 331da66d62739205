"""No process of the tests' Airflow outlives them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.airflow import guard

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc to find processes")


def test_what_runs_with_a_home_ends_with_its_guard(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    # One that has left its parent's group, and one that the guard is not to touch.
    mine, others = (
        subprocess.Popen(
            [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"],
            env={**os.environ, "AIRFLOW_HOME": str(folder)},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        for folder in (home, other)
    )
    with mine, others:
        for process in (mine, others):
            assert process.stdout is not None
            process.stdout.readline()
        watch = subprocess.Popen([sys.executable, "-I", guard.__file__, str(home)], stdin=subprocess.PIPE)
        with watch:
            assert mine.poll() is None
        assert mine.wait(20) < 0
        assert others.poll() is None
        assert not home.exists()
        others.kill()
