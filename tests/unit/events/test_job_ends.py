"""What EventBridge says of jobs that have ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batchtx.engine.events import DETAIL_TYPE as SENT
from airflow_batchtx.events.job_ends import DETAIL_TYPE, JobEnd, job_ends

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/nightly"


def event(**detail: Any) -> dict[str, Any]:
    told = {
        "TransformJobName": "nightly",
        "TransformJobArn": ARN,
        "TransformJobStatus": "Completed",
        "FailureReason": None,
        "ModelName": "churn",
        "TransformOutput": {"S3OutputPath": "s3://scores/churn"},
        "CreationTime": 1795435200000,
        "Tags": {"team": "risk"},
        **detail,
    }
    return {"detail-type": DETAIL_TYPE, "source": "aws.sagemaker", "resources": [ARN], "detail": told}


def test_the_end_of_a_job_is_read() -> None:
    assert job_ends(json.dumps(event())) == (
        JobEnd(
            job_name="nightly",
            job_arn=ARN,
            status="Completed",
            reason="",
            model_name="churn",
            output="s3://scores/churn",
            tags={"team": "risk"},
        ),
    )


def test_a_failure_says_why() -> None:
    (end,) = job_ends(json.dumps(event(TransformJobStatus="Failed", FailureReason="ClientError: no")))

    assert (end.status, end.reason) == ("Failed", "ClientError: no")


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_a_job_that_goes_on_is_nothing_to_do(status: str) -> None:
    assert job_ends(json.dumps(event(TransformJobStatus=status))) == ()


def test_one_end_has_one_id_and_another_job_another() -> None:
    (one,), (again,) = job_ends(event()), job_ends(event(Tags={}))
    (other,) = job_ends(event(TransformJobArn=f"{ARN}-2"))

    assert one.to_dict()["id"] == one.id == again.id != other.id


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "{}",
        json.dumps({**event(), "detail-type": "SageMaker Training Job State Change"}),
        json.dumps({**event(), "detail": {}}),
        json.dumps({**event(), "detail": None}),
        json.dumps(event(Tags=7)),
    ],
    ids=lambda body: body[:40],
)
def test_anything_else_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        job_ends(body)


def test_the_engine_sends_what_is_read_here() -> None:
    assert SENT == DETAIL_TYPE
