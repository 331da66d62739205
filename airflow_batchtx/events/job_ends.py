"""Transform jobs that have ended, as EventBridge tells of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_batchtx.events.messages import Body, opened

DETAIL_TYPE = "SageMaker Transform Job State Change"
ENDED = ("Completed", "Failed", "Stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """The end of one transform job. `reason` is its FailureReason, "" where it has none; `output` its S3OutputPath."""

    job_name: str
    job_arn: str
    status: str
    reason: str
    model_name: str | None
    output: str | None
    tags: Mapping[str, str]

    @property
    def id(self) -> str:
        """32 hexadecimal digits: the same however often this end is told of. No two jobs have one name."""
        return hashlib.sha256(self.job_arn.encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {"id": self.id, **asdict(self)}


def job_ends(body: Body) -> tuple[JobEnd, ...]:
    """Give the job that an event of EventBridge says has ended; none while it goes on.

    ValueError says why a message is no such event.
    """
    said = opened(body)
    if said.get("detail-type") != DETAIL_TYPE:
        raise ValueError(f"is no {DETAIL_TYPE}")
    try:
        detail = said["detail"]
        if detail["TransformJobStatus"] not in ENDED:
            return ()
        return (
            JobEnd(
                job_name=str(detail["TransformJobName"]),
                job_arn=str(detail["TransformJobArn"]),
                status=detail["TransformJobStatus"],
                reason=detail.get("FailureReason") or "",
                model_name=detail.get("ModelName"),
                output=(detail.get("TransformOutput") or {}).get("S3OutputPath"),
                tags=dict(detail.get("Tags") or {}),
            ),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"is no whole {DETAIL_TYPE}: {error!r}") from error
