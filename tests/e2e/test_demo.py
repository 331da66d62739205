"""`batchtx demo`, as `make demo` runs it: a real engine, a real Airflow, real data."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

DEMO = [sys.executable, "-m", "airflow_batchtx.cli.main", "demo"]

pytestmark = pytest.mark.airflow


def descendants(pid: int) -> set[int]:
    """The processes below one, read from Linux's /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def test_the_demo_scores_every_row(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*DEMO, "--output", str(tmp_path / "scored")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "140"},
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "20,000 rows in = 20,000 rows out" in ran.stdout
    assert re.search(r"prepare \d+\.\d s, transform \d+\.\d s, associate \d+\.\d s", ran.stdout), ran.stdout
    table = pq.read_table(tmp_path / "scored")
    assert table.column_names == ["holder", "late_september", "prediction"]
    # Holders 10,001 to 30,000 of the source, each once, in its order.
    assert [int(holder) for holder in table["holder"].to_pylist()] == list(range(10_001, 30_001))
    assert all(0 <= score <= 1 for score in table["prediction"].to_pylist())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc to look for processes")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_ended_early(tmp_path: Path, told: signal.Signals) -> None:
    demo = subprocess.Popen(
        [*DEMO, "--output", str(tmp_path / "scored")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "Create the SageMaker model" in line:
            break
    time.sleep(1)
    started = descendants(demo.pid)
    assert started

    demo.send_signal(told)

    assert demo.wait(30) == 130
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert not list(tmp_path.glob("batchtx-demo-*"))
