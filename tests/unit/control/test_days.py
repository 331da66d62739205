"""Many days in one job: prepared apart, sent by one manifest, told apart again; SageMaker and S3 in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pyarrow.parquet as pq

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.submission import start
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prepared import INPUT_PATH, settled
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import FakeBatch, World, assignment
from tests.fake_sagemaker import REQUEST
from tests.fakes import OpenObject

DAYS = ("day=1", "day=2", "day=3")


class Echo(FakeBatch):
    """Answers every object with itself."""

    def _transform(self, job: Mapping[str, Any]) -> None:
        super()._transform(job)
        for uri, body in list(self.store.bodies.items()):
            if uri.key.startswith("out/") and body.endswith(b"!"):
                self.store.put(uri, body.removesuffix(b"!"))


class Month:
    """Three days of two rows each."""

    def __init__(self) -> None:
        self.world = World({f"s3://b/src/{day}/a.csv": rows(number) for number, day in enumerate(DAYS)})
        self.world.batch = Echo(self.world.store, self.world.life)
        self.world.batch.clock = lambda: self.world.now
        self.world.store.now = datetime.fromtimestamp(self.world.now + 1, timezone.utc)

    def prepared(self, day: str) -> dict[str, Any]:
        request = {"source": f"s3://b/src/{day}/", "output": f"s3://b/in/{day}/", "keep": ["id"], "columns": ["x"]}
        return prepare(self.world.store, PrepareRequest.read(request)).to_dict()

    def transformed(self, *days: str, epoch: int = 0) -> TransformResult:
        request = wire.copied(REQUEST)
        wire.put(request, INPUT_PATH, [self.prepared(day) for day in days])
        known, prepared = settled(request)
        services = self.world.services
        started = start(services, replace(assignment(known, epoch=epoch), prepared=prepared))
        while (described := services.jobs.describe(started.job_name))["TransformJobStatus"] == "InProgress":
            self.world.sleep(1)
        return Ending(services=services, policy=Policy(), prices=PriceTable(prices={})).concluded(
            described, started.on_record
        )

    def associated(self, result: TransformResult) -> int:
        options = {"result": result.to_dict(), "output": "s3://b/scored/", "table_per": "day"}
        return associate(self.world.store, AssociateRequest.read(options)).tables

    def table(self, day: str) -> list[dict[str, Any]]:
        parts = [one.uri for one in self.world.store.objects(S3Uri("b", f"scored/{day}/part-"))]
        return [row for uri in parts for row in pq.read_table(OpenObject(self.world.store.get(uri))).to_pylist()]

    def sent(self, result: TransformResult) -> list[str]:
        """What the manifest of a job names."""
        prefix, *names = json.loads(self.world.store.get(S3Uri.parse(result.input)))
        return [prefix["prefix"] + name for name in names]


def rows(day: int, score: int = 1) -> bytes:
    return f"id,x\n{day}a,{score}\n{day}b,{score}\n".encode()


def expected(day: int, score: int = 1) -> list[dict[str, Any]]:
    return [{"id": f"{day}{row}", "prediction": score} for row in "ab"]


def shard(day: str) -> str:
    return f"s3://b/in/{day}/shards/part-00000.csv"


def test_one_manifest_names_the_shards_of_all_days_and_each_day_has_its_table() -> None:
    month = Month()

    result = month.transformed(*DAYS)

    assert month.sent(result) == [shard(day) for day in DAYS]
    assert month.associated(result) == 3
    assert [month.table(day) for day in DAYS] == [expected(number) for number in range(3)]
    assert month.world.created == [result.job_name]


def test_of_days_that_are_done_again_only_what_changed_is_sent() -> None:
    month = Month()
    month.associated(first := month.transformed(*DAYS))
    month.world.put("s3://b/src/day=2/a.csv", rows(1, score=7))

    again = month.transformed(*DAYS, epoch=1)

    assert month.world.created == [first.job_name, again.job_name]
    assert month.sent(again) == [shard("day=2")]
    assert month.associated(again) == 3
    assert [month.table(day) for day in DAYS] == [expected(0), expected(1, score=7), expected(2)]


def test_of_days_that_are_as_they_were_nothing_is_sent() -> None:
    month = Month()
    first = month.transformed(*DAYS)

    again = month.transformed(*DAYS, epoch=1)

    assert (again.job_name, again.reused) == (first.job_name, True)
    assert month.associated(again) == 3


def test_a_range_of_one_day_lies_in_the_folder_of_its_day() -> None:
    month = Month()

    assert month.associated(month.transformed("day=2")) == 1

    assert month.table("day=2") == expected(1)
