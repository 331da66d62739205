"""What a transform task hands on: small, plain JSON, whatever the size of the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime, timezone
from typing import Any

from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import AssembleWith, CompressionType, JobStatus, JoinSource, S3DataType, SplitType
from airflow_batchtx.spec.prepared import PreparedInput

# What a result leaves out, to stay small.
_DEFAULTS: Mapping[str, str | None] = {
    "assemble_with": AssembleWith.NONE.value,
    "batch_strategy": None,
    "compression_type": CompressionType.NONE.value,
    "s3_data_type": S3DataType.S3_PREFIX.value,
    "join_source": JoinSource.NONE.value,
    "input_filter": "$",
    "output_filter": "$",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformResult:
    """An ended job: its name, where its input and output lie, and what it took.

    Times are ISO 8601 in UTC. `prepared` is the manifest of the prepare task that made the input, None for others.
    `instance_seconds` is what AWS bills: the time between start and end, on every instance. `cost` is in `currency`,
    by the price of the day `priced`; None where no price is known.
    `record` is the object that holds the exact mapping of inputs to outputs, in the folder `control`, None while there
    is none; `objects_done` counts the inputs that have their outputs, whichever of the `attempts` wrote them. A result
    is `reused` where the job had Completed before this task ran. The model is the work's `own_model` where it was made
    for this work alone, under a name that no other has.
    `split_type` and what follows it say how the job cut and joined records, as the request does: None where it leaves
    AWS's default, but for `split_type`, whose None is that of results which do not tell.
    As JSON it stays below 4 KB with names as long as they may be, prefixes of up to 600 characters and control folders
    beside the output; below 7 KB with the longest prefixes that there may be. Characters beyond ASCII count six times.
    """

    job_name: str
    job_arn: str
    status: str
    model_name: str
    input: str
    output: str
    content_type: str | None
    accept: str | None
    prepared: str | None
    rows: int | None
    objects: int | None
    created: str
    started: str | None
    ended: str | None
    provisioning_seconds: float | None
    transform_seconds: float | None
    instance_seconds: float | None
    instance_type: str = ""
    instance_count: int = 0
    record: str | None = None
    control: str | None = None
    attempts: int = 1
    objects_done: int | None = None
    reused: bool = False
    cost: float | None = None
    currency: str | None = None
    priced: str | None = None
    own_model: bool = False
    split_type: str | None = None
    assemble_with: str | None = None
    batch_strategy: str | None = None
    compression_type: str | None = None
    s3_data_type: str | None = None
    join_source: str | None = None
    input_filter: str | None = None
    output_filter: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON (a small XCom)."""
        return asdict(self)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> TransformResult:
        """Read what `to_dict` wrote; members that a later version added are ignored, those it left out are unknown."""
        unknown = {field.name: None if field.default is MISSING else field.default for field in fields(cls)}
        known: dict[str, Any] = {name: value.get(name, default) for name, default in unknown.items()}
        return cls(**known)

    @classmethod
    def between(cls, source: str, answers: str) -> TransformResult:
        """Stand in for a job of which nothing is known but where its input and its output lie."""
        told = {"job_name": "", "status": JobStatus.COMPLETED.value, "input": source, "output": answers, "created": ""}
        return cls.read(told)

    @classmethod
    def of(cls, described: Mapping[str, Any], prepared: PreparedInput | None = None, **known: Any) -> TransformResult:
        """Make it of DescribeTransformJob's answer; what else is `known`, by the names of members, wins over it.

        A job that reads a manifest, for one, tells that manifest as its input, not what the task was given.
        """
        values = wire.flat(described)
        created, started, ended = (
            _utc(described.get(key)) for key in ("CreationTime", "TransformStartTime", "TransformEndTime")
        )
        running = _seconds(started, ended)
        told = {
            "job_name": described["TransformJobName"],
            "job_arn": described["TransformJobArn"],
            "status": described["TransformJobStatus"],
            "model_name": values["model_name"],
            "input": values["input"],
            "output": values["output"],
            "content_type": values.get("content_type"),
            "accept": values.get("accept"),
            "prepared": prepared.manifest if prepared else None,
            "rows": prepared.rows if prepared else None,
            "objects": prepared.shards if prepared else None,
            "created": _text(created) or "",
            "started": _text(started),
            "ended": _text(ended),
            "provisioning_seconds": _seconds(created, started),
            "transform_seconds": running,
            "instance_seconds": None if running is None else round(running * values["instance_count"], 3),
            "instance_type": values["instance_type"],
            "instance_count": values["instance_count"],
            "split_type": values.get("split_type", SplitType.NONE.value),
            **{name: values[name] for name, default in _DEFAULTS.items() if values.get(name, default) != default},
        }
        return cls(**told | known)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(timezone.utc) if moment else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None
