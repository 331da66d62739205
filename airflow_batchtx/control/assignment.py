"""A piece of work to be done by one job, and the job that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.intent import Intent, Try
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.naming import Identity, job_name
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A piece of work, and how it is to be controlled.

    `request` is a CreateTransformJob request in AWS's types, its input settled (see spec.prepared); `prepared` is that
    input as prepare tasks returned it, nothing where none did. `epoch` changes
    with each clear of the task, `tried` is the try that this is, both None outside Airflow. `control` is the prefix of
    attempts' folders, `model_created` the model that was made for this work.
    """

    identity: Identity
    prefix: str
    epoch: int | None
    request: wire.Request
    prepared: tuple[PreparedInput, ...]
    policy: Policy
    control: S3Uri
    tags: Mapping[str, str] = field(default_factory=dict)
    model_created: str | None = None
    tried: Try | None = None

    def name(self, number: int) -> str:
        """Name an attempt, from 1 on."""
        return job_name(self.prefix, self.identity, number)

    @property
    def rows(self) -> int | None:
        """Rows that were prepared, None where nothing was."""
        return sum(one.rows for one in self.prepared) if self.prepared else None

    @property
    def output(self) -> S3Uri:
        """The prefix that outputs are written to."""
        return S3Uri.parse(wire.at(self.request, BY_NAME["output"].path))


class Origin(Enum):
    """Where the job of a piece of work came from."""

    CREATED = "created"
    ADOPTED = "adopted"
    REUSED = "reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRecord:
    """An attempt whose intent is on record, in its control folder. `reused`: its job had ended before it was found."""

    folder: S3Uri
    intent: Intent
    reused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A piece of work that has its job.

    `folder` is the control folder of the attempt. `intent` is None where a job was found whose intent is gone,
    `described` where it was made just now.
    """

    job_name: str
    job_arn: str
    origin: Origin
    folder: S3Uri
    output: S3Uri
    intent: Intent | None
    described: Described | None

    @property
    def on_record(self) -> OnRecord | None:
        """What there is to prove the outcome by."""
        if self.intent is None:
            return None
        return OnRecord(folder=self.folder, intent=self.intent, reused=self.origin is Origin.REUSED)
