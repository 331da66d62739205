from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from airflow_batchtx import TransformJob, errors
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import NEXT, failure, is_final
from airflow_batchtx.spec.limits import NAME_LENGTH
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


def test_how_records_were_cut_and_joined_is_told_where_it_is_not_aws_default() -> None:
    cut = {
        "split_type": "Line", "assemble_with": "Line", "batch_strategy": "MultiRecord", "compression_type": "Gzip",
        "join_source": "Input", "input_filter": "$[1:]", "output_filter": "$[0,-1]", "content_type": "text/csv",
    }  # fmt: skip
    request = TransformJob(
        model_name="m", input="s3://b/in/", output="s3://b/out/", instance_type="ml.m5.large", instance_count=2,
        accept="text/csv", **cut,
    ).to_request()  # fmt: skip

    told = TransformResult.of({**DESCRIBED, **request})
    silent = TransformResult.of(DESCRIBED)

    assert {name: getattr(told, name) for name in cut} == cut
    assert {name: getattr(silent, name) for name in cut} == {**dict.fromkeys(cut), "split_type": "None"}


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


def test_what_else_is_known_wins_over_what_the_job_says() -> None:
    result = TransformResult.of(
        DESCRIBED, input="s3://b/day=1/", objects=4, objects_done=4, attempts=2, reused=True, record="s3://b/c/j/r.json"
    )

    assert (result.input, result.objects, result.output) == ("s3://b/day=1/", 4, "s3://b/out/")
    assert (result.objects_done, result.attempts, result.reused, result.record) == (4, 2, True, "s3://b/c/j/r.json")
    assert (result.instance_type, result.instance_count) == ("ml.m5.large", 2)


def test_a_result_of_an_earlier_version_is_read_with_what_it_left_out_unknown() -> None:
    later = {"record", "control", "attempts", "objects_done", "reused", "cost", "currency", "priced"}
    written = {name: value for name, value in TransformResult.of(DESCRIBED).to_dict().items() if name not in later}

    assert TransformResult.read(written) == TransformResult.of(DESCRIBED)


@pytest.mark.parametrize(("length", "control", "most"), [(600, "_batchtx", 4096), (953, "c" * 900, 7000)])
def test_it_stays_small_with_the_longest_names(length: int, control: str, most: int) -> None:
    bucket, name, key = "b" * 63, "n" * NAME_LENGTH, "k" * length
    folder = f"s3://{bucket}/{control}/{name}/"
    described = {
        **TransformJob(
            model_name=name, input=f"s3://{bucket}/{key}/", output=f"s3://{bucket}/{key}/", instance_count=100,
            instance_type="ml.g4dn.16xlarge", content_type="application/x-npy; charset=utf-8",
            accept="application/x-npy; charset=utf-8", split_type="RecordIO", assemble_with="Line",
            batch_strategy="SingleRecord", compression_type="Gzip",
        ).to_request(),
        "DataProcessing": {"JoinSource": "Input", "InputFilter": "$" * 63, "OutputFilter": "$" * 63},
        "TransformJobName": name,
        "TransformJobArn": f"arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:transform-job/{name}",
        "TransformJobStatus": "Completed",
        **{time: CREATED + timedelta(days=9, microseconds=1) for time in ("TransformStartTime", "TransformEndTime")},
        "CreationTime": CREATED,
    }  # fmt: skip
    prepared = PreparedInput(
        input=f"s3://{bucket}/{key}/", manifest=f"s3://{bucket}/{key}/_manifest.json", content_type="text/csv",
        split_type="Line", assemble_with="Line", shards=10**7, rows=10**12,
    )  # fmt: skip

    result = TransformResult.of(
        described, prepared, record=f"{folder}record.json", control=folder, attempts=99, objects_done=10**7,
        cost=1234567.123456, currency="USD", priced="2026-11-23",
    )  # fmt: skip

    assert len(json.dumps(result.to_dict())) < most


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
