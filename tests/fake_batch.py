"""A SageMaker in memory whose jobs read and write objects, and a world of it in which time passes as tests let it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_batchtx.control.assignment import Assignment
from airflow_batchtx.control.limits import NO_JOB
from airflow_batchtx.control.services import Services
from airflow_batchtx.planning.transfers import transfers
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.sagemaker.jobs import TransformJobs
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from tests.fake_sagemaker import CREATED, REQUEST, FakeSageMaker, refusal
from tests.fakes import InMemoryStore

IDENTITY = Identity(namespace="test", dag_id="churn", task_id="score", run_id="r1", map_index=-1)
INPUT = "TransformInput.DataSource.S3DataSource"


class FakeBatch(FakeSageMaker):
    """Jobs answer each object with `<its bytes>!` when they are seen to have ended, but for those in `poisoned`; those
    that were stopped answer none.

    `sent` counts how often each object was transformed. `model` is what DescribeModel answers.
    """

    def __init__(self, store: ObjectStore, life: Sequence[str] = ("InProgress", "Completed"), reason: str = "") -> None:
        super().__init__(life, reason)
        self.store = store
        self.model: dict[str, Any] = {"ModelName": "churn", "PrimaryContainer": {"Image": "churn:1"}}
        self.poisoned: set[str] = set()
        self.sent: dict[str, int] = {}
        self._ran: set[str] = set()
        self.clock: Callable[[], float] = CREATED.timestamp

    def add(self, name: str, life: Sequence[str], request: Mapping[str, Any] = REQUEST) -> None:
        super().add(name, life, request)
        self.jobs[name]["CreationTime"] = datetime.fromtimestamp(self.clock(), timezone.utc)

    @property
    def stopped(self) -> list[str]:
        """The jobs that were asked to stop, as often as they were; a question whether jobs may be stopped is none."""
        return [name for name in self.names("StopTransformJob") if name != NO_JOB]

    class meta:  # noqa: N801 - boto3's own name
        region_name = "us-east-1"
        endpoint_url = "https://api.sagemaker.us-east-1.amazonaws.com"

    def describe_model(self, **request: Any) -> dict[str, Any]:
        self.calls.append(("DescribeModel", request["ModelName"]))
        if self.trouble["DescribeModel"]:
            raise self.trouble["DescribeModel"].pop(0)
        return self.model

    def describe_transform_job(self, **request: Any) -> dict[str, Any]:
        described = super().describe_transform_job(**request)
        name = described["TransformJobName"]
        if described["TransformJobStatus"] in ("Completed", "Failed") and name not in self._ran:
            self._ran.add(name)
            self._transform(described)
        return described

    def _transform(self, job: Mapping[str, Any]) -> None:
        prefix, sources = self._sources(wire.at(job, INPUT))
        for transfer in transfers(prefix, sources, S3Uri.parse(wire.at(job, "TransformOutput.S3OutputPath"))):
            self.sent[str(transfer.source)] = self.sent.get(str(transfer.source), 0) + 1
            if str(transfer.source) not in self.poisoned:
                self.store.put(transfer.target, self.store.get(transfer.source) + b"!")

    def _sources(self, source: Mapping[str, str]) -> tuple[S3Uri, list[S3Uri]]:
        uri = S3Uri.parse(source["S3Uri"])
        if source["S3DataType"] == "S3Prefix":
            return uri, [found.uri for found in self.store.objects(uri)]
        first, *names = json.loads(self.store.get(uri))
        return S3Uri.parse(first["prefix"]), [S3Uri.parse(first["prefix"] + name) for name in names]


class NoLogs:
    """A CloudWatch that has no logs of these jobs."""

    def describe_log_streams(self, **_: Any) -> dict[str, Any]:
        raise refusal("DescribeLogStreams", "ResourceNotFoundException")


@dataclass
class World:
    """All that job control needs. `now` only passes by sleeping; `slept` tells for how long."""

    objects: Mapping[str, bytes] = field(default_factory=lambda: {f"s3://b/in/{name}.csv": b"1,2\n" for name in "abc"})
    life: Sequence[str] = ("InProgress", "Completed")
    reason: str = ""
    now: float = field(default_factory=time.time)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = InMemoryStore(self.objects, buckets=["b"])
        self.batch = FakeBatch(self.store, self.life, self.reason)
        self.batch.clock = lambda: self.now

    @property
    def services(self) -> Services:
        client: Any = self.batch
        logs: Any = NoLogs()
        return Services(
            jobs=TransformJobs(client),
            models=Models(client),
            logs=JobLogs(logs),
            store=self.store,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)
        self.now += seconds

    def put(self, uri: str, body: bytes = b"1,2\n") -> None:
        self.store.put(S3Uri.parse(uri), body)

    @property
    def stopped(self) -> list[str]:
        """The jobs that were asked to stop, as often as they were."""
        return self.batch.stopped

    @property
    def created(self) -> list[str]:
        """The jobs that exist, in the order in which they were made."""
        return list(self.batch.jobs)


def assignment(request: Mapping[str, Any] = REQUEST, *, epoch: int | None = 0, **policy: Any) -> Assignment:
    return Assignment(
        identity=IDENTITY,
        prefix="churn",
        epoch=epoch,
        request=dict(request),
        prepared=(),
        policy=Policy(**policy),
        control=S3Uri("b", "_batchtx/"),
    )
