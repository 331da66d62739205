"""A month in 30 jobs, one a day, against the same month in one job over the prefixes of all days.

The case `flights` on the local engine: prepare, transform and associate as their tasks do it, jobs as `batchtx run`
runs them, without Airflow around them. AWS takes minutes to provision instances; the engine waits seconds in their
place, and both are told: what was measured with them, and what it comes to with minutes in their place.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from rich.console import Console

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.cli import engine, running
from airflow_batchtx.cli.connection import Connection
from airflow_batchtx.cli.demo.seeding import Clients, seed
from airflow_batchtx.cli.screen import Screen
from airflow_batchtx.control.prices import price_table
from airflow_batchtx.control.services import Services
from airflow_batchtx.planning.cost import cost
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.sagemaker.jobs import TransformJobs
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.spec.job import TransformJob
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.storage.s3 import S3Store
from benchmarks.processes import ACCESS
from benchmarks.report import Cell, Options, Table, shown, verdict

BUCKET = "benchmark"
HOME = f"s3://{BUCKET}/flights"
DAYS = tuple(f"day={date(2013, 1, 1) + timedelta(days=number)}" for number in range(30))
# Jobs at once, as a pool bounds them.
SLOTS = 4
INSTANCE_TYPE = "ml.m5.xlarge"
# Seconds that the engine waits before a job starts, and those that AWS is taken to need.
WAITED, PROVISIONED = 4.0, 240.0
# One job is no slower than 30, and costs no more: how much it saves depends on what is scored.
GOAL = 1.0


@dataclass(frozen=True)
class Month:
    """A month that was scored in one way: its jobs, its rows, and the seconds from beginning to end."""

    results: tuple[TransformResult, ...]
    rows: int
    seconds: float
    slots: int

    @property
    def waves(self) -> int:
        """How often one has to wait for instances, one time after another."""
        return math.ceil(len(self.results) / self.slots)

    @property
    def reckoned(self) -> float:
        """Minutes with AWS's provisioning in the place of the engine's."""
        return (self.seconds + self.waves * (PROVISIONED - WAITED)) / 60

    @property
    def instance_seconds(self) -> float:
        return sum(result.instance_seconds or 0.0 for result in self.results)

    @property
    def transform(self) -> float:
        """Seconds of a job between start and end, median."""
        return statistics.median(result.transform_seconds or 0.0 for result in self.results)


@dataclass(frozen=True)
class Lake:
    """S3 and the jobs over it."""

    connection: Connection

    @property
    def store(self) -> S3Store:
        store = self.connection.services.store
        assert isinstance(store, S3Store)
        return store

    def prepared(self, way: str, day: str) -> dict[str, Any]:
        request = PrepareRequest.read(
            {
                "source": f"{HOME}/source/{day}/",
                "columns": ["carrier", "origin", "hour", "distance"],
                "keep": ["id"],
                "types": {"id": "int64"},
                "output": f"{HOME}/{way}/in/{day}/",
            }
        )
        return prepare(self.store, request).to_dict()

    def transformed(self, way: str, key: str, prepared: Any) -> TransformResult:
        job = TransformJob(
            model_name="flight-delays",
            input=prepared,
            output=f"{HOME}/{way}/out/{key}/",
            instance_type=INSTANCE_TYPE,
            environment={"BATCHTX_FAULTS": json.dumps({"provisioning_seconds": WAITED})},
        )
        work = running.assignment_of(
            self.connection.services, job.to_request(), name=way, key=key, policy=Policy(), control_prefix=None
        )
        manner = running.Manner(prices=price_table(), interval=0.5)
        return running.Run(work, self.connection, Screen(Console(), quiet=True), manner).result()

    def associated(self, way: str, result: TransformResult, **options: Any) -> int:
        values = {"result": result.to_dict(), "predictions": {"late": "double"}, **options}
        return associate(self.store, AssociateRequest.read({"output": f"{HOME}/{way}/scored/", **values})).rows


@contextmanager
def lake() -> Iterator[Lake]:
    with tempfile.TemporaryDirectory() as folder, engine.running(Path(folder)) as health:
        s3, sagemaker = engine.clients(engine.environment(health))
        logs = boto3.client("logs", endpoint_url=health.services, config=Config(proxies={}), **ACCESS)
        for _ in seed(Clients(s3, sagemaker), BUCKET, ["flights"]):
            """A step is done."""
        services = Services(
            jobs=TransformJobs(sagemaker),
            models=Models(sagemaker),
            logs=JobLogs(logs),
            store=S3Store(s3),
            clock=time.time,
            sleep=time.sleep,
        )
        yield Lake(Connection(services=services, client=sagemaker))


def daily(lake: Lake) -> Month:
    def scored(day: str) -> tuple[TransformResult, int]:
        result = lake.transformed("daily", day, lake.prepared("daily", day))
        return result, lake.associated("daily", result, output=f"{HOME}/daily/scored/{day}/")

    began = time.perf_counter()
    with ThreadPoolExecutor(SLOTS) as pool:
        found = list(pool.map(scored, DAYS))
    seconds = time.perf_counter() - began
    return Month(tuple(result for result, _ in found), sum(rows for _, rows in found), seconds, SLOTS)


def ranged(lake: Lake) -> Month:
    began = time.perf_counter()
    with ThreadPoolExecutor(SLOTS) as pool:
        prepared = list(pool.map(partial(lake.prepared, "range"), DAYS))
    result = lake.transformed("range", "month", prepared)
    rows = lake.associated("range", result, table_per="day")
    return Month((result,), rows, time.perf_counter() - began, SLOTS)


def measure(_: Options) -> Iterator[Table]:
    with lake() as found:
        jobs, one = daily(found), ranged(found)
    assert jobs.rows == one.rows, "both ways score the same flights"
    yield compared(jobs, one)


def dollars(month: Month) -> str:
    priced = price_table().price(ACCESS["region_name"], INSTANCE_TYPE)
    assert priced is not None, INSTANCE_TYPE
    return f"{cost(month.instance_seconds, priced):.6f}"


FIGURES: tuple[tuple[str, Callable[[Month], Cell]], ...] = (
    ("jobs", lambda month: f"{len(month.results)}"),
    ("flights scored", lambda month: f"{month.rows:,}"),
    (f"s from beginning to end, with {WAITED:.0f} s of provisioning", lambda month: month.seconds),
    (f"min, reckoned with {PROVISIONED / 60:.0f} min of provisioning", lambda month: month.reckoned),
    ("s between a job's start and end, median", lambda month: month.transform),
    ("s of instances that are billed", lambda month: month.instance_seconds),
    ("USD, estimated", dollars),
)


def compared(jobs: Month, one: Month) -> Table:
    rows: list[tuple[Cell, ...]] = [(name, of(jobs), of(one), "", "") for name, of in FIGURES]
    for name, part in (
        ("part of the time of 30 jobs", one.seconds / jobs.seconds),
        ("part of the reckoned time", one.reckoned / jobs.reckoned),
        ("part of their cost", one.instance_seconds / jobs.instance_seconds),
    ):
        rows.append((name, None, part, shown(GOAL), verdict(part, GOAL, at_most=True)))
    note = (
        f"Prepare, transform and associate of {len(DAYS)} days of nycflights13, {SLOTS} days at once, one round."
        " Airflow's own time for its tasks is not in it."
        f" The engine waits {WAITED:.0f} s before a job starts, where AWS takes minutes: the reckoned line is the"
        f" measured one with {PROVISIONED:.0f} s in the place of each wait that the next jobs wait for,"
        f" {jobs.waves} of them one after another against {one.waves}."
        f" Cost is the time between the jobs' starts and ends here, at the price of {INSTANCE_TYPE} in"
        f" {ACCESS['region_name']}, as `batchtx plan` and a job's result tell it. Provisioning is not billed; the start"
        " of the model's container is, once for each job. Jobs at once share the cores of this machine, and take longer"
        " for it than on instances of their own."
    )
    return Table("A month of days", ("figure", "30 daily jobs", "one job", "goal", ""), tuple(rows), (note,))
