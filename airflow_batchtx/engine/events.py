"""The EventBridge event of a job's change of status, in the shape that real ones have.

Real events differ from the developer guide's: times are epoch milliseconds, what has no value is null, tags are a map.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_batchtx.engine.registry import Job

SOURCE = "aws.sagemaker"
DETAIL_TYPE = "SageMaker Transform Job State Change"
_OF_REQUEST = (
    "ModelName",
    "MaxConcurrentTransforms",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "TransformResources",
    "DataProcessing",
)


def state_change(job: Job, described: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Make the entry of PutEvents that tells a job's status; `described` is what DescribeTransformJob shows of it."""
    detail = {
        "TransformJobName": job.name,
        "TransformJobArn": job.arn,
        "TransformJobStatus": str(job.status),
        "FailureReason": job.reason,
        **{name: described.get(name) for name in _OF_REQUEST},
        "CreationTime": _milliseconds(job.created),
        "TransformStartTime": _milliseconds(job.started),
        "TransformEndTime": _milliseconds(job.ended),
        "Tags": dict(tags),
    }
    return {
        "Time": datetime.fromtimestamp(job.modified, timezone.utc),
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Resources": [job.arn],
        "Detail": json.dumps(detail),
    }


def _milliseconds(epoch: float | None) -> int | None:
    return None if epoch is None else round(epoch * 1000)
