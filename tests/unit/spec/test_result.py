from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from airflow_batchtx import TransformJob, errors
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import NEXT, failure, is_final
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.result import TransformResult

CREATED = datetime(2026, 11, 23, 2, 0, 0, tzinfo=timezone(timedelta(hours=1)))
DESCRIBED = {
    **TransformJob(
        model_name="m", input="s3://b/in/", output="s3://b/out/", instance_type="ml.m5.large", instance_count=2
    ).to_request(),
    "TransformJobName": "j",
    "TransformJobArn": "arn:aws:sagemaker:us-east-1:123456789012:transform-job/j",
    "TransformJobStatus": "Completed",
    "CreationTime": CREATED,
    "TransformStartTime": CREATED + timedelta(seconds=30),
    "TransformEndTime": CREATED + timedelta(seconds=90, milliseconds=500),
}


def test_times_are_utc_and_billed_on_every_instance() -> None:
    result = TransformResult.of(DESCRIBED)

    assert result.created == "2026-11-23T01:00:00.000+00:00"
    assert result.provisioning_seconds == 30
    assert result.transform_seconds == 60.5
    assert result.instance_seconds == 121


def test_a_job_that_never_started_bills_nothing_known() -> None:
    result = TransformResult.of({**DESCRIBED, "TransformStartTime": None})

    assert result.started is None
    assert result.instance_seconds is None


def test_it_travels_as_small_json_and_back() -> None:
    prepared = PreparedInput(
        input="s3://b/in/shards/", manifest="s3://b/in/manifest.json", content_type="text/csv", split_type="Line",
        assemble_with="Line", shards=3, rows=7,
    )  # fmt: skip
    result = TransformResult.of(DESCRIBED, prepared)

    text = json.dumps(result.to_dict())

    assert len(text) < 4096
    assert TransformResult.read({**json.loads(text), "added_by_a_later_version": 1}) == result
    assert (result.prepared, result.rows, result.objects) == ("s3://b/in/manifest.json", 7, 3)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        ("Completed", "", type(None)),
        ("Stopped", "", errors.JobStopped),
        ("Failed", "ClientError: See job logs for more information", errors.JobClientError),
        ("Failed", "AlgorithmError: See job logs for more information", errors.JobAlgorithmError),
        ("Failed", "CapacityError: Unable to provision requested ML compute capacity.", errors.JobCapacityError),
        ("Failed", "InternalServerError: We encountered an internal error.", errors.JobInternalServerError),
        ("Failed", "", errors.JobFailed),
        ("Failed", "Something new", errors.JobFailed),
    ],
)  # fmt: skip
def test_what_an_ended_job_means(status: str, reason: str, kind: type) -> None:
    assert type(failure("j", status, reason)) is kind


def test_every_status_has_its_successors_and_an_end() -> None:
    assert set(NEXT) == set(JobStatus)
    assert {status for status in JobStatus if is_final(status)} == {"Completed", "Failed", "Stopped"}
