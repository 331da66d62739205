"""How long Airflow's page of jobs is waited for, with ten thousand jobs in its database."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from airflow_batchtx.plugin.documents import Documents
from airflow_batchtx.plugin.looking import Looker
from airflow_batchtx.plugin.server import JobsApi, connect
from benchmarks.report import Options, Table, verdict
from benchmarks.task_jobs import fill, jobs, tables

JOBS, DAGS = 10_000, 20
# Milliseconds. What takes a tenth of a second is not felt as waiting.
GOAL = 100.0
READABLE = {f"dag_{number}" for number in range(DAGS)}
ASKED: dict[str, dict[str, Any]] = {
    "the newest": {},
    "of one DAG": {"dag_id": "dag_7"},
    "the failed ones": {"state": "Failed"},
    "the dearest": {"sort": "cost"},
    "the longest": {"sort": "duration"},
    "the last page": {"page": JOBS // 50 - 1},
}


def measure(options: Options) -> Iterator[Table]:
    """Ask for pages of 50 jobs; the median of all rounds, in processor time: the database is in this process."""
    with tables() as sessions:
        fill(sessions, jobs(JOBS, DAGS))
        with closing(Looker(connect)) as looker, closing(Documents(connect)) as documents:
            api = JobsApi(sessions, looker, documents)
            rows = tuple(_row(api, name, asked, options.rounds) for name, asked in ASKED.items())
    note = (
        f"{JOBS:,} jobs that have ended, of {DAGS} DAGs, each in a run of four tasks; an SQLite in memory. What is "
        "measured is all that the server does for a page of 50: counts, rows, links, JSON."
    )
    yield Table("A page of jobs", ("page", "ms of processor time", "KB", f"at most {GOAL:.0f} ms"), rows, (note,))


def _row(api: JobsApi, name: str, asked: dict[str, Any], rounds: int) -> tuple[str | float, ...]:
    took = []
    for _ in range(rounds):
        began = time.process_time()
        page = json.dumps(api.jobs(READABLE, **asked))
        took.append((time.process_time() - began) * 1000)
    milliseconds = statistics.median(took)
    return name, milliseconds, len(page) / 1000, verdict(milliseconds, GOAL, at_most=True)
