"""Transform jobs over the API: what is described, listed, stopped and waited for."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.engines import Desk

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
WAITER = {"Delay": 1, "MaxAttempts": 30}


@pytest.fixture
def model(desk: Desk) -> str:
    desk.put_at("in/a.csv", b"1\n22\n")
    return desk.model(desk.models.url("echo"))


@pytest.fixture
def held(desk: Desk) -> str:
    """A model that answers once the test lets it."""
    desk.put_at("in/a.csv", b"1\n")
    desk.models.release.clear()
    desk.models.entered.clear()
    return desk.model(desk.models.url("held"))


def test_the_sample_program_of_aws(desk: Desk, model: str) -> None:
    name = f"Batch-{uuid4().hex[:8]}"
    desk.client.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{desk.bucket}/in"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": f"s3://{desk.bucket}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    waiter = desk.client.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName=name, WaiterConfig=WAITER)

    assert desk.client.describe_transform_job(TransformJobName=name)["TransformJobStatus"] == "Completed"
    assert desk.get("out/in/a.csv.out") == b"1\n22\n"


def test_describe_fills_in_what_aws_fills_in(desk: Desk, model: str) -> None:
    request = desk.request(model, TransformJobName=f"Job-{uuid4().hex[:8]}", Tags=[{"Key": "a", "Value": "b"}])
    arn = desk.client.create_transform_job(**request)["TransformJobArn"]

    found = desk.ended(request["TransformJobName"])

    del found["ResponseMetadata"]
    created, started, ended = (found.pop(f"{moment}Time") for moment in ("Creation", "TransformStart", "TransformEnd"))
    assert created <= started <= ended <= created + timedelta(minutes=1)
    assert found == {
        "TransformJobName": request["TransformJobName"],
        "TransformJobArn": f"{ARN}:transform-job/{request['TransformJobName'].lower()}",
        "TransformJobStatus": "Completed",
        "ModelName": model,
        "TransformInput": {**request["TransformInput"], "CompressionType": "None", "SplitType": "None"},
        "TransformOutput": {**request["TransformOutput"], "AssembleWith": "None", "KmsKeyId": ""},
        "TransformResources": request["TransformResources"],
        "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
    }
    assert found["TransformJobArn"] == arn
    assert desk.client.list_tags(ResourceArn=arn)["Tags"] == request["Tags"]


def test_describe_echoes_what_was_sent(desk: Desk, model: str) -> None:
    sent: dict[str, Any] = {
        "MaxConcurrentTransforms": 2,
        "MaxPayloadInMB": 0,
        "BatchStrategy": "SingleRecord",
        "Environment": {},
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": 5},
        "ExperimentConfig": {"TrialName": "t"},
        "DataProcessing": {"OutputFilter": "$[0]"},
    }
    csv = {"ContentType": "text/csv", "Accept": "text/csv", "SplitType": "Line", "AssembleWith": "Line"}

    found = desk.run(model, **sent, **csv, VolumeKmsKeyId="key")

    filled = {"DataProcessing": {"InputFilter": "$", "OutputFilter": "$[0]", "JoinSource": "None"}}
    assert {name: found[name] for name in sent} == sent | filled
    assert found["TransformResources"]["VolumeKmsKeyId"] == "key"
    assert found["TransformInput"]["SplitType"] == "Line"


def test_what_is_sent_empty_is_not_asked_for(desk: Desk, model: str) -> None:
    """AWS's component for Kubeflow Pipelines sends these where its user says nothing."""
    empty = {"InputFilter": "", "OutputFilter": "", "JoinSource": "None"}
    resources = {"InstanceType": "ml.g4dn.xlarge", "VolumeKmsKeyId": ""}

    found = desk.run(model, ContentType="text/csv", DataProcessing=empty, KmsKeyId="", Environment={}, **resources)

    assert found["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.csv.out") == b"1\n22\n"
    assert found["DataProcessing"] == empty
    assert found["TransformResources"]["VolumeKmsKeyId"] == ""


def test_the_effective_settings_are_not_written_back(desk: Desk, model: str) -> None:
    wishes = {"MaxConcurrentTransforms": 3, "MaxPayloadInMB": 5, "BatchStrategy": "SINGLE_RECORD"}

    found = desk.run(desk.model(desk.models.url("echo", wishes)))

    assert not {"MaxConcurrentTransforms", "MaxPayloadInMB", "BatchStrategy"} & found.keys()
    assert "MaxConcurrentTransforms=3, MaxPayloadInMB=5, BatchStrategy=SINGLE_RECORD" in desk.data_log(
        found["TransformJobName"]
    )


def test_a_job_that_is_not_there(desk: Desk) -> None:
    with pytest.raises(ClientError) as described:
        desk.client.describe_transform_job(TransformJobName="gone")
    with pytest.raises(ClientError) as stopped:
        desk.client.stop_transform_job(TransformJobName="gone")

    errors = [caught.value.response["Error"] for caught in (described, stopped)]
    assert [error["Code"] for error in errors] == ["ValidationException"] * 2
    assert [error["Message"] for error in errors] == [
        "Could not find requested job with name: gone",
        "Could not find job to update with name: gone",
    ]


# -------------------------------------------------------------------------------------------------------- stop


def test_a_running_job_is_stopped(desk: Desk, held: str) -> None:
    name = desk.start(held)
    assert desk.models.entered.wait(20)
    running = desk.client.describe_transform_job(TransformJobName=name)

    desk.client.stop_transform_job(TransformJobName=name)
    stopping = desk.client.describe_transform_job(TransformJobName=name)
    found = desk.ended(name)

    assert running["TransformJobStatus"] == "InProgress"
    assert stopping["TransformJobStatus"] in ("Stopping", "Stopped")
    assert found["TransformJobStatus"] == "Stopped"
    assert found["TransformEndTime"] >= found["TransformStartTime"]
    assert "FailureReason" not in found
    assert desk.keys("out/") == []


def test_a_waiter_takes_stopped_for_success(desk: Desk, held: str) -> None:
    name = desk.start(held)

    desk.client.stop_transform_job(TransformJobName=name)

    desk.client.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name, WaiterConfig=WAITER)


def test_a_waiter_fails_with_the_job_and_without_one(desk: Desk) -> None:
    desk.put_at("in/a", b"bad")
    failed = desk.start(desk.model(desk.models.url("refusing")))
    waiter = desk.client.get_waiter("transform_job_completed_or_stopped")

    for name in (failed, "gone"):
        with pytest.raises(WaiterError):
            waiter.wait(TransformJobName=name, WaiterConfig=WAITER)


def test_an_ended_job_cannot_be_stopped(desk: Desk, model: str) -> None:
    name = desk.run(model)["TransformJobName"]

    with pytest.raises(ClientError) as caught:
        desk.client.stop_transform_job(TransformJobName=name)

    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The request was rejected because the transform job is in status Completed",
    }


# -------------------------------------------------------------------------------------------------------- list


@pytest.fixture(scope="module")
def family() -> str:
    return f"family-{uuid4().hex[:8]}"


@pytest.fixture
def jobs(desk: Desk, family: str) -> list[dict[str, Any]]:
    """Four ended jobs, the third of which failed; made once."""
    names = [f"{family}-{letter}" for letter in "dbca"]
    try:
        return [dict(desk.client.describe_transform_job(TransformJobName=name)) for name in names]
    except ClientError:
        desk.put_at("in/a", b"1")
        echo, broken = (desk.model(desk.models.url(behaviour)) for behaviour in ("echo", "refusing"))
        desk.put_at("bad/a", b"bad")
        for name in names:
            prefix = "bad" if name.endswith("c") else "in"
            desk.run(broken if prefix == "bad" else echo, TransformJobName=name, S3Uri=f"s3://{desk.bucket}/{prefix}/")
        return [dict(desk.client.describe_transform_job(TransformJobName=name)) for name in names]


def listed(desk: Desk, family: str, **query: Any) -> str:
    """Give the letters of the jobs that are listed, in order."""
    found = desk.client.list_transform_jobs(NameContains=family, **query)["TransformJobSummaries"]
    return "".join(job["TransformJobName"][-1] for job in found)


def test_a_summary(desk: Desk, family: str, jobs: list[dict[str, Any]]) -> None:
    failed = jobs[2]

    (summary,) = desk.client.list_transform_jobs(NameContains=failed["TransformJobName"])["TransformJobSummaries"]

    assert summary.pop("LastModifiedTime") >= failed["TransformEndTime"]
    shared = (
        "TransformJobName",
        "TransformJobArn",
        "CreationTime",
        "TransformEndTime",
        "TransformJobStatus",
        "FailureReason",
    )
    assert summary == {name: failed[name] for name in shared}


@pytest.mark.parametrize(
    ("query", "letters"),
    [
        ({}, "acbd"),
        ({"SortOrder": "Ascending"}, "dbca"),
        ({"SortBy": "Name"}, "dcba"),
        ({"SortBy": "Name", "SortOrder": "Ascending"}, "abcd"),
        ({"SortBy": "Status", "SortOrder": "Ascending"}, "abdc"),
        ({"StatusEquals": "Failed"}, "c"),
        ({"StatusEquals": "Stopping"}, ""),
        ({"MaxResults": 2}, "ac"),
    ],
)
def test_filters_and_orders(
    desk: Desk, family: str, jobs: list[dict[str, Any]], query: dict[str, Any], letters: str
) -> None:
    assert listed(desk, family, **query) == letters


def test_time_filters_leave_their_moment_out(desk: Desk, family: str, jobs: list[dict[str, Any]]) -> None:
    second, ended = jobs[1]["CreationTime"], jobs[1]["TransformEndTime"]

    assert listed(desk, family, CreationTimeAfter=second) == "ac"
    assert listed(desk, family, CreationTimeBefore=second) == "d"
    assert listed(desk, family, LastModifiedTimeAfter=ended) == "ac"
    assert listed(desk, family, LastModifiedTimeBefore=ended) == "d"
    assert listed(desk, family, CreationTimeAfter=datetime.now(timezone.utc)) == ""


@pytest.mark.parametrize("sort_by", ["Name", "CreationTime", "Status"])
def test_pages_hold_every_job_once(desk: Desk, family: str, jobs: list[dict[str, Any]], sort_by: str) -> None:
    paginator = desk.client.get_paginator("list_transform_jobs")
    pages = list(paginator.paginate(NameContains=family, SortBy=sort_by, PaginationConfig={"PageSize": 3}))

    assert [len(page["TransformJobSummaries"]) for page in pages] == [3, 1]
    assert "NextToken" not in pages[-1]
    whole = "".join(job["TransformJobName"][-1] for page in pages for job in page["TransformJobSummaries"])
    assert whole == listed(desk, family, SortBy=sort_by)


def test_a_token_of_another_query_is_refused(desk: Desk, family: str, jobs: list[dict[str, Any]]) -> None:
    token = desk.client.list_transform_jobs(NameContains=family, MaxResults=1)["NextToken"]

    for query in ({"NextToken": token}, {"NextToken": "made up"}):
        with pytest.raises(ClientError) as caught:
            desk.client.list_transform_jobs(**query)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
