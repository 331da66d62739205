"""What is compared of tables: the same files, the same table, and figures that say what they mean."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from airflow_batchtx.spec.uri import S3Uri
from benchmarks.families import Failed, measured
from benchmarks.folder import Folder
from benchmarks.scored_rows import OBJECTS, make
from benchmarks.scored_tables import OURS, Figures, Goal, compared
from benchmarks.table_peers import main as paste
from benchmarks.table_tasks import main as ours

ROWS = 1_003


def test_a_peer_is_given_the_same_rows_and_makes_the_same_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Folder(tmp_path)
    make(store, ROWS)
    told = {"root": str(tmp_path), "ending": "csv", "processes": 1}
    paste("paste", "csv", told | {"target": "theirs"})
    ours("associate", told | {"target": "ours"})
    ours("associate", told | {"target": "table", "ending": "parquet"})

    lines = 0
    for number in range(OBJECTS):
        theirs = store.get(S3Uri("b", f"theirs/part-{number}.csv"))
        assert store.get(S3Uri("b", f"ours/part-{number:05}.csv")).partition(b"\n")[2] == theirs
        lines += theirs.count(b"\n")
    tables = [pq.read_table(store.path(S3Uri("b", f"table/part-{number:05}.parquet"))) for number in range(OBJECTS)]
    assert sum(map(len, tables)) == lines == ROWS
    assert [str(kind) for kind in tables[0].schema.types] == ["int64", *["double"] * 10, "string", "double"]
    assert all(float(line) > 0 for line in capsys.readouterr().out.split())


def test_the_best_peer_is_what_others_are_compared_with() -> None:
    found = {"slow": Figures(4, 900), "fast": Figures(2, 300), OURS: Figures(2.5, 90), "absent": "not installed"}

    table = compared("T", 100, found, Goal({OURS: 1.0}, memory=200))

    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["fast"] == (2, 50, 1, "", 300, 1, "")
    assert rows[OURS] == (2.5, 40, 0.8, "missed by 0.20", 90, 0.3, "met")
    assert rows["absent"][3] == "skipped: not installed"


def test_memory_is_that_of_all_processes_together() -> None:
    held = "x = bytearray(60_000_000); import time; time.sleep(0.5)"
    script = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {held!r}]); {held}; p.wait(); print(7)"
    )

    printed, peak = measured([sys.executable, "-c", script])

    assert json.loads(printed) == 7
    assert 120 < peak < 250
    with pytest.raises(Failed, match="boom"):
        measured([sys.executable, "-c", "raise ValueError('boom')"])
