from __future__ import annotations

import json
from dataclasses import replace

from airflow_batchtx.engine.events import state_change
from airflow_batchtx.engine.jobs import described
from airflow_batchtx.engine.registry import Job, Model
from airflow_batchtx.spec.enums import JobStatus

REQUEST = {
    "TransformJobName": "Nightly-1",
    "ModelName": "churn",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}}},
    "TransformOutput": {"S3OutputPath": "s3://b/out/"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
    "MaxPayloadInMB": 6,
}
JOB = Job(
    region="eu-west-1",
    name="Nightly-1",
    created=1654683838.0,
    request=REQUEST,
    model=Model("eu-west-1", "churn", 0.0, {}),
    status=JobStatus.IN_PROGRESS,
    modified=1654683838.0,
    started=None,
    ended=None,
    reason=None,
)
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/nightly-1"


def test_an_event_says_what_describe_says_with_nulls_and_milliseconds() -> None:
    entry = state_change(JOB, described(JOB), {"team": "a", "env": "b"})

    assert json.loads(entry["Detail"]) == {
        "TransformJobName": "Nightly-1",
        "TransformJobArn": ARN,
        "TransformJobStatus": "InProgress",
        "FailureReason": None,
        "ModelName": "churn",
        "MaxConcurrentTransforms": None,
        "MaxPayloadInMB": 6,
        "BatchStrategy": None,
        "Environment": None,
        "TransformInput": {**REQUEST["TransformInput"], "CompressionType": "None", "SplitType": "None"},
        "TransformOutput": {"S3OutputPath": "s3://b/out/", "AssembleWith": "None", "KmsKeyId": ""},
        "TransformResources": REQUEST["TransformResources"],
        "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
        "CreationTime": 1654683838000,
        "TransformStartTime": None,
        "TransformEndTime": None,
        "Tags": {"team": "a", "env": "b"},
    }
    assert {name: entry[name] for name in ("Source", "DetailType", "Resources")} == {
        "Source": "aws.sagemaker",
        "DetailType": "SageMaker Transform Job State Change",
        "Resources": [ARN],
    }
    assert entry["Time"].isoformat() == "2022-06-08T10:23:58+00:00"


def test_an_ended_job_tells_its_times_and_reason() -> None:
    failed = replace(
        JOB, status=JobStatus.FAILED, started=1654684027.0, ended=1654684048.25, modified=1654684048.25, reason="why"
    )

    detail = json.loads(state_change(failed, described(failed), {})["Detail"])

    assert (detail["TransformJobStatus"], detail["FailureReason"], detail["Tags"]) == ("Failed", "why", {})
    assert (detail["TransformStartTime"], detail["TransformEndTime"]) == (1654684027000, 1654684048250)
