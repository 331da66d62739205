"""How far the DAG is, read where its tasks leave their work: in S3, and from the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.cli.demo.cases.late_payments import CASE
from airflow_batchtx.cli.demo.seeding import BUCKET, Clients
from airflow_batchtx.spec.lifecycle import is_final


@dataclass(frozen=True, slots=True)
class Progress:
    """The keys that the DAG has written, and the status of its job (None before there is one)."""

    keys: tuple[str, ...]
    job_status: str | None

    def has(self, end: str) -> bool:
        """Tell whether an object of this ending is there."""
        return any(key.endswith(end) for key in self.keys)

    @property
    def shards(self) -> int:
        """How many objects the model is to score."""
        return sum("/in/shards/" in key for key in self.keys)

    @property
    def scored(self) -> int:
        """How many of them have their output."""
        return sum(key.endswith(".out") for key in self.keys)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the DAG run: its name, when it is done, and what to say meanwhile."""

    name: str
    done: Callable[[Progress], bool]
    told: Callable[[Progress], str] = lambda _: ""


STAGES = (
    Stage("Airflow starts and parses the DAG", lambda seen: bool(seen.keys)),
    Stage("prepare", lambda seen: seen.has("/in/manifest.json")),
    Stage(
        "transform",
        lambda seen: seen.job_status is not None and is_final(seen.job_status),
        lambda seen: f"{seen.job_status or 'not created'}, {seen.scored} of {seen.shards} objects",
    ),
    Stage("associate", lambda seen: seen.has("/_SUCCESS")),
)


def look(clients: Clients) -> Progress:
    """Look once."""
    newest = clients.sagemaker.list_transform_jobs(MaxResults=1)["TransformJobSummaries"]
    return Progress(tuple(keys(clients.s3)), newest[0]["TransformJobStatus"] if newest else None)


def keys(s3: Any, ending: str = "") -> Iterator[str]:
    """Yield the keys that the DAG has written below its day."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{CASE.name}/day="):
        yield from (found["Key"] for found in page.get("Contents", ()) if found["Key"].endswith(ending))
