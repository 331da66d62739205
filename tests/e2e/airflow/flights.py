"""Flights as the backfill tests meet them: what lies in S3, what Airflow has made of days, and what was paid for."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batchtx.cli.demo.seeding import Clients, seed
from tests.e2e.airflow.api import Run
from tests.e2e.airflow.stage import BUCKET, ENDED, World

DAILY, RANGE = "flight_delays", "score_range"
FIRST = date(2013, 1, 1)
SLOTS = 3
# Seconds, in all and for each run: what takes two on an idle machine takes a minute beside other tests.
PATIENCE, PATIENCE_PER_RUN = 300, 60


def days_of(count: int) -> tuple[str, ...]:
    return tuple(str(FIRST + timedelta(days=number)) for number in range(count))


@dataclass
class Flights:
    """The case on a world: Airflow, the engine, and a bucket with the flights of 31 days."""

    world: World

    def seed(self) -> None:
        for _ in seed(Clients(self.world.engine.s3, self.world.engine.sagemaker()), BUCKET, ["flights"]):
            """A step is done."""
        api = self.world.stack.api
        self.until(lambda: {DAILY, RANGE} <= set(api.dags()), "the examples to be parsed")
        api.post("/pools", {"name": "batchtx", "slots": SLOTS, "include_deferred": True})

    # ---------------------------------------------------------------------------------------------------- the data

    def source(self, day: str) -> list[dict[str, str]]:
        body = self.world.engine.s3.get_object(Bucket=BUCKET, Key=self._key(day))["Body"].read().decode()
        return list(csv.DictReader(io.StringIO(body)))

    def lose(self, day: str, row: int) -> None:
        """Take a row out of a day's flights."""
        rows = self.source(day)
        del rows[row]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        self.world.engine.s3.put_object(Bucket=BUCKET, Key=self._key(day), Body=text.getvalue().encode())

    def leave_out(self, day: str) -> None:
        """Take all of a day's flights away."""
        self.world.engine.s3.delete_object(Bucket=BUCKET, Key=self._key(day))

    def scored(self, day: str) -> pa.Table:
        """The partition of a day, which has to be whole."""
        objects = self.partition(day)
        assert "_SUCCESS" in objects
        parts = [name for name in objects if name.endswith(".parquet")]
        read = self.world.engine.s3.get_object
        bodies = [read(Bucket=BUCKET, Key=f"flights/scored/day={day}/{part}")["Body"].read() for part in sorted(parts)]
        return pa.concat_tables(pq.read_table(io.BytesIO(body)) for body in bodies)

    def partition(self, day: str) -> dict[str, Any]:
        """What lies in the partition of a day, and since when."""
        prefix = f"flights/scored/day={day}/"
        found = self.world.engine.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {one["Key"].removeprefix(prefix): (one["ETag"], one["LastModified"]) for one in found}

    def partitions(self) -> set[str]:
        pages = self.world.engine.s3.list_objects_v2(Bucket=BUCKET, Prefix="flights/scored/", Delimiter="/")
        return {one["Prefix"].rpartition("day=")[2].rstrip("/") for one in pages.get("CommonPrefixes", [])}

    @staticmethod
    def _key(day: str) -> str:
        return f"flights/source/day={day}/flights.csv"

    # ---------------------------------------------------------------------------------------------------- the jobs

    def jobs(self, dag_id: str) -> dict[str, str]:
        """The jobs that were paid for, and their states."""
        named = dag_id.replace("_", "-")
        pages = (
            self.world.engine.sagemaker()
            .get_paginator("list_transform_jobs")
            .paginate(NameContains=f"{named}-transform")
        )
        return {
            job["TransformJobName"]: job["TransformJobStatus"]
            for page in pages
            for job in page["TransformJobSummaries"]
        }

    def refused(self, dag_id: str) -> int:
        """How many creates the engine has refused: those that made no job."""
        named = dag_id.replace("_", "-")
        return self.world.gate.calls("CreateTransformJob", f"{named}-transform").total() - len(self.jobs(dag_id))

    # ---------------------------------------------------------------------------------------------------- the runs

    def backfill(self, days: tuple[str, ...], *options: str) -> None:
        """`airflow backfill create`, as a person types it."""
        stack = self.world.stack
        span = ("--from-date", days[0], "--to-date", days[-1])
        command = [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", DAILY, *span, *options]
        # On SQLite, Airflow loses the runs that it makes where anybody else writes meanwhile.
        with stack.frozen(*stack.parts.values()):
            ran = subprocess.run(command, env=dict(stack.environment), capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def until_backfills_are_complete(self) -> None:
        """A DAG has one backfill at a time; the scheduler looks every half minute whether it is over."""

        def complete() -> bool:
            found = self.world.stack.api.get("/backfills", dag_id=DAILY)["backfills"]
            return all(one["completed_at"] for one in found)

        self.until(complete, "the backfill to be complete")

    def runs(self) -> dict[str, Run]:
        found = self.world.stack.api.get(f"/dags/{DAILY}/dagRuns", limit=100)["dag_runs"]
        return {one["logical_date"][:10]: Run(DAILY, one["dag_run_id"]) for one in found}

    def until_ended(self, *runs: Run) -> set[str]:
        """Wait for runs to end, and give their states."""
        api = self.world.stack.api

        def states() -> set[str]:
            found = {api.run_state(run) for run in runs}
            return found if found <= set(ENDED) else set()

        return self.until(states, "runs to end", patience=PATIENCE + PATIENCE_PER_RUN * len(runs))

    def tasks(self, run: Run) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.world.stack.api.get(f"{run.path}/taskInstances", limit=1000)[
            "task_instances"
        ]
        return found

    def result(self, run: Run, task_id: str = "transform") -> dict[str, Any]:
        found: dict[str, Any] = self.world.stack.api.xcom(run, task_id)
        return found

    def said(self, *runs: Run) -> str:
        return "\n".join(self.world.stack.task_log(run.dag_id, run.run_id) for run in runs)

    def story(self) -> str:
        """What happened, for whoever has to find out why it was not what should have."""
        stack = self.world.stack
        runs = self.runs() if DAILY in stack.api.dags() else {}
        complaints = [stack.complaints(run.run_id) for run in runs.values()]
        return "\n".join((str(self.jobs(DAILY)), self.said(*runs.values()), *complaints))

    # -------------------------------------------------------------------------------------------------- the waiting

    def until(self, condition: Callable[[], Any], what: str, *, patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        while not (found := condition()):
            self.world.stack.check()
            assert time.monotonic() < deadline, f"waited for {what} in vain\n{self.story()}"
            time.sleep(0.5)
        return found

    @contextmanager
    def watched(self) -> Iterator[list[int]]:
        """Count again and again how many transform tasks hold a slot of the pool: on a worker or in the triggerer."""
        seen, over = [], threading.Event()

        def look() -> None:
            while not over.wait(0.3):
                found = self.world.stack.api.get("/pools/batchtx")
                seen.append(found["occupied_slots"])

        watching = threading.Thread(target=look, daemon=True)
        watching.start()
        try:
            yield seen
        finally:
            over.set()
            watching.join()
