"""What a job writes: outputs, and the manifests of data capture."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.engines import Desk

KEY = "arn:aws:kms:us-east-1:123456789012:key/0b7d1c5e-8f3c-4f0e-9d57-6f6b2f3c1a2b"
NAME = r"\d{4}/\d\d/\d\d/\d\d/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\.json"


@pytest.fixture
def echo(desk: Desk) -> str:
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("in/day=1/b.csv", b"2\n")
    return desk.model(desk.models.url("echo"))


def sealed_with(desk: Desk, key: str) -> str | None:
    return desk.engine.s3.head_object(Bucket=desk.bucket, Key=key).get("SSEKMSKeyId")


def test_outputs_are_sealed_with_the_key_of_the_request(desk: Desk, echo: str) -> None:
    desk.run(echo, KmsKeyId=KEY)

    assert [sealed_with(desk, key) for key in desk.keys("out/")] == [KEY, KEY]


def test_large_outputs_are_sealed_too(desk: Desk) -> None:
    desk.put_at("in/big", b"x" * (20 * 1024 * 1024))

    desk.run(desk.model(desk.models.url("echo")), KmsKeyId=KEY, MaxPayloadInMB=30)

    assert sealed_with(desk, "out/big.out") == KEY


@pytest.mark.parametrize("members", [{}, {"KmsKeyId": ""}])
def test_without_a_key_nothing_is_sealed(desk: Desk, echo: str, members: dict[str, str]) -> None:
    job = desk.run(echo, **members)

    assert sealed_with(desk, "out/a.csv.out") is None
    assert job["TransformOutput"]["KmsKeyId"] == ""


def test_what_was_there_is_overwritten(desk: Desk, echo: str) -> None:
    desk.put_at("out/a.csv.out", b"of yesterday")
    desk.put_at("out/other", b"of somebody else")

    desk.run(echo)

    assert desk.get("out/a.csv.out") == b"1\n"
    assert desk.get("out/other") == b"of somebody else"


def test_a_failed_object_leaves_what_was_there(desk: Desk) -> None:
    desk.put_at("in/a", b"bad")
    desk.put_at("out/a.out", b"of yesterday")

    desk.run(desk.model(desk.models.url("refusing")))

    assert desk.get("out/a.out") == b"of yesterday"


# ---------------------------------------------------------------------------------------------- data capture


def captured(desk: Desk, side: str) -> tuple[str, Any]:
    """Give the one manifest of a side: its key below `captured/`, and what it says."""
    (key,) = desk.keys(f"captured/{side}/")
    return key.removeprefix("captured/"), json.loads(desk.get(key))


@pytest.mark.parametrize("slash", ["", "/"])
def test_data_capture_names_what_was_read_and_written(desk: Desk, echo: str, slash: str) -> None:
    capture = {"DestinationS3Uri": f"s3://{desk.bucket}/captured{slash}", "KmsKeyId": KEY}

    job = desk.run(echo, DataCaptureConfig=capture, S3OutputPath=f"s3://{desk.bucket}/out{slash}")

    assert job["TransformJobStatus"] == "Completed"
    assert job["DataCaptureConfig"] == capture
    (read, sources), (written, targets) = captured(desk, "input"), captured(desk, "output")
    assert sources == [{"prefix": f"s3://{desk.bucket}/in/"}, "a.csv", "day=1/b.csv"]
    assert targets == [{"prefix": f"s3://{desk.bucket}/out/"}, "a.csv.out", "day=1/b.csv.out"]
    hour = job["TransformStartTime"].strftime("%Y/%m/%d/%H")
    for side, key in {"input": read, "output": written}.items():
        assert re.fullmatch(f"{side}/{NAME}", key)
        assert key.startswith(f"{side}/{hour}/")
        assert sealed_with(desk, f"captured/{key}") == KEY
    assert desk.get("out/a.csv.out") == b"1\n"


def test_what_was_captured_can_be_read_as_input(desk: Desk, echo: str) -> None:
    capture = {"DestinationS3Uri": f"s3://{desk.bucket}/captured/"}
    desk.run(echo, DataCaptureConfig=capture, S3Uri=f"s3://{desk.bucket}/in/day")
    key, _ = captured(desk, "input")

    again = desk.run(
        echo,
        S3DataType="ManifestFile",
        S3Uri=f"s3://{desk.bucket}/captured/{key}",
        S3OutputPath=f"s3://{desk.bucket}/again/",
    )

    assert again["TransformJobStatus"] == "Completed"
    assert desk.keys("again/") == ["again/day=1/b.csv.out"]


def test_a_failed_job_captures_nothing(desk: Desk) -> None:
    desk.put_at("in/a", b"bad")
    capture = {"DestinationS3Uri": f"s3://{desk.bucket}/captured/"}

    desk.run(desk.model(desk.models.url("refusing")), DataCaptureConfig=capture)

    assert desk.keys("captured/") == []


def test_a_job_that_cannot_write_what_it_captured_fails(desk: Desk, echo: str) -> None:
    job = desk.run(echo, DataCaptureConfig={"DestinationS3Uri": "s3://there-is-no-such-bucket/captured/"})

    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: See job logs for more information"
    assert desk.keys("out/") == ["out/a.csv.out", "out/day=1/b.csv.out"]


def test_what_fails_a_job_as_a_whole_is_told_in_its_logs(desk: Desk, echo: str) -> None:
    job = desk.run(echo, DataCaptureConfig={"DestinationS3Uri": "s3://no-bucket-of-this-name/captured/"})

    assert job["FailureReason"] == "ClientError: See job logs for more information"
    assert "s3://no-bucket-of-this-name/captured/" in desk.data_log(job["TransformJobName"])
