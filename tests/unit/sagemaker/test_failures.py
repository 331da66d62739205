"""What a failed call means."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from airflow_batchtx.errors import (
    JobNameTaken,
    JobNotFound,
    JobRefused,
    JobRequestInvalid,
    LogsNotFound,
    LogsUnavailable,
    ModelCallRefused,
    ModelNotFound,
    ModelRequestInvalid,
    PackageNotFound,
    QuotaExceeded,
    ServiceUnavailable,
    Throttled,
)
from airflow_batchtx.sagemaker.failures import LOGS, MODEL, PACKAGE, TRANSIENT, Subject, meaning
from tests.fake_sagemaker import refusal

MEANINGS = [
    ("CreateTransformJob", "ResourceInUse", JobNameTaken),
    ("CreateTransformJob", "ResourceLimitExceeded", QuotaExceeded),
    ("CreateTransformJob", "ValidationException", JobRequestInvalid),
    ("CreateTransformJob", "ResourceNotFound", JobRefused),
    ("CreateTransformJob", "AccessDeniedException", JobRefused),
    ("DescribeTransformJob", "ValidationException", JobNotFound),
    ("DescribeTransformJob", "ResourceNotFound", JobNotFound),
    ("DescribeTransformJob", "AccessDeniedException", JobRefused),
    ("StopTransformJob", "ValidationException", JobRefused),
    ("StopTransformJob", "ResourceNotFound", JobNotFound),
    *((operation, "ThrottlingException", Throttled) for operation in ("CreateTransformJob", "StopTransformJob")),
    ("DescribeTransformJob", "ExpiredTokenException", ServiceUnavailable),
]


@pytest.mark.parametrize(("operation", "code", "kind"), MEANINGS)
def test_operation_and_code_decide(operation: str, code: str, kind: type) -> None:
    error = meaning(refusal(operation, code, "as AWS puts it"), "nightly")

    assert type(error) is kind
    assert "'nightly'" in str(error)


@pytest.mark.parametrize(
    ("operation", "code", "subject", "kind"),
    [
        ("DescribeModel", "ValidationException", MODEL, ModelNotFound),
        ("DescribeModel", "AccessDeniedException", MODEL, ModelCallRefused),
        ("DescribeModel", "ThrottlingException", MODEL, Throttled),
        ("DeleteModel", "ValidationException", MODEL, ModelNotFound),
        ("CreateModel", "ValidationException", MODEL, ModelRequestInvalid),
        ("CreateModel", "ResourceLimitExceeded", MODEL, ModelCallRefused),
        ("DescribeModelPackage", "ValidationException", PACKAGE, PackageNotFound),
        ("ListModelPackages", "ValidationException", PACKAGE, PackageNotFound),
        ("ListModelPackages", "AccessDeniedException", PACKAGE, ModelCallRefused),
        ("DescribeLogStreams", "ResourceNotFoundException", LOGS, LogsNotFound),
        ("GetLogEvents", "ResourceNotFoundException", LOGS, LogsNotFound),
        ("GetLogEvents", "AccessDeniedException", LOGS, LogsUnavailable),
        ("GetLogEvents", "ThrottlingException", LOGS, Throttled),
    ],
)
def test_what_a_call_is_about_decides_what_is_left(operation: str, code: str, subject: Subject, kind: type) -> None:
    error = meaning(refusal(operation, code, "as AWS puts it"), "churn", subject)

    assert type(error) is kind
    assert "'churn'" in str(error)


def test_what_is_unavailable_says_what_it_is() -> None:
    error = meaning(EndpointConnectionError(**URL), "churn", MODEL)

    assert isinstance(error, ServiceUnavailable)
    assert (error.name, error.kind) == ("churn", "model")


def test_a_refusal_keeps_what_aws_says() -> None:
    error = meaning(refusal("CreateTransformJob", "ValidationException", 'Could not find model "churn"'), "nightly")

    assert isinstance(error, JobRefused)
    assert (error.code, error.detail) == ("ValidationException", 'Could not find model "churn"')


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, ServiceUnavailable), (503, ServiceUnavailable), (429, Throttled), (400, JobRefused)],
)
def test_a_code_that_nobody_knows_is_judged_by_its_status(status: int, kind: type) -> None:
    assert type(meaning(refusal("DescribeTransformJob", "Whatever", status=status), "nightly")) is kind


URL: dict[str, Any] = {"endpoint_url": "http://localhost:1"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(**URL), ServiceUnavailable),
        (ConnectTimeoutError(**URL), ServiceUnavailable),
        (ReadTimeoutError(**URL), ServiceUnavailable),
        (CredentialRetrievalError(provider="iam", error_msg="timed out"), ServiceUnavailable),
        (NoCredentialsError(), JobRefused),
        (NoRegionError(), JobRefused),
        (ParamValidationError(report="Unknown parameter"), JobRequestInvalid),
    ],
)
def test_what_never_reached_aws(error: BotoCoreError, kind: type) -> None:
    assert type(meaning(error, "nightly")) is kind


def test_an_answer_without_a_code_is_a_refusal() -> None:
    assert isinstance(meaning(ClientError({"Error": {}}, "DescribeTransformJob"), "nightly"), JobRefused)


def test_what_botocore_would_retry_for_any_service_is_transient_here() -> None:
    of_other_services = {
        "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException", "TransactionInProgressException",
    }  # fmt: skip

    retried = {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *TransientRetryableChecker._TRANSIENT_ERROR_CODES}

    assert retried - of_other_services <= TRANSIENT
