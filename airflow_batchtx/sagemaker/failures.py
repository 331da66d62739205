"""What a failed call to SageMaker, or to its logs, means: one table for all operations, and no look at the texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    ParamValidationError,
)

from airflow_batchtx.errors import (
    BatchTransformError,
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

# Makes an error of the name that a call was about, AWS's error code and its message.
Meaning = Callable[[str, str, str], BatchTransformError]


@dataclass(frozen=True, slots=True)
class Subject:
    """What calls are about: the word for it, and the errors of one that is refused and would be again.

    `refused` where somebody else may mend that, a permission perhaps; `invalid` where the request is to blame.
    """

    kind: str
    refused: Meaning
    invalid: Meaning


JOB = Subject("transform job", JobRefused, JobRequestInvalid)
MODEL = Subject("model", ModelCallRefused, ModelRequestInvalid)
PACKAGE = Subject("model package", ModelCallRefused, ModelRequestInvalid)
LOGS = Subject("the logs of transform job", LogsUnavailable, LogsUnavailable)


def _named(kind: Callable[[str], BatchTransformError]) -> Meaning:
    return lambda name, _code, _detail: kind(name)


def _over_quota(job_name: str, _code: str, detail: str) -> BatchTransformError:
    return QuotaExceeded(job_name, detail)


# By operation and code. What does not exist is a ValidationException, not the ResourceNotFound that the model promises;
# nothing else about a well-formed name can be invalid where a call takes nothing but that. StopTransformJob's may be of
# a moment: its caller asks what the job is doing.
MEANINGS: Mapping[tuple[str, str], Meaning] = {
    ("CreateTransformJob", "ResourceInUse"): _named(JobNameTaken),
    ("CreateTransformJob", "ResourceLimitExceeded"): _over_quota,
    ("CreateTransformJob", "ValidationException"): JobRequestInvalid,
    ("CreateModel", "ValidationException"): ModelRequestInvalid,
    ("DescribeTransformJob", "ValidationException"): _named(JobNotFound),
    ("DescribeTransformJob", "ResourceNotFound"): _named(JobNotFound),
    ("StopTransformJob", "ResourceNotFound"): _named(JobNotFound),
    **{
        (operation, code): _named(kind)
        for code in ("ValidationException", "ResourceNotFound")
        for operation, kind in {
            "DescribeModel": ModelNotFound,
            "DeleteModel": ModelNotFound,
            "DescribeModelPackage": PackageNotFound,
            "ListModelPackages": PackageNotFound,
        }.items()
    },
    ("DescribeLogStreams", "ResourceNotFoundException"): LogsNotFound,
    ("GetLogEvents", "ResourceNotFoundException"): LogsNotFound,
}

TOO_MANY_REQUESTS = 429  # HTTP
THROTTLED = frozenset({
    "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "SlowDown", "ThrottledException",
    "Throttling", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
# An expired token is one of them: whoever rotates the connection's secret is expected to put a new one there.
TRANSIENT = THROTTLED | {
    "ExpiredToken", "ExpiredTokenException", "InternalFailure", "InternalServerError", "RequestExpired",
    "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable", "ServiceUnavailableException",
}  # fmt: skip
UNREACHABLE = (ConnectionError, HTTPClientError, CredentialRetrievalError, MetadataRetrievalError)


def meaning(error: ClientError | BotoCoreError, name: str, subject: Subject = JOB) -> BatchTransformError:
    """Give the typed error that a failure of botocore stands for, in a call about the subject of this name."""

    def unavailable(name: str, code: str, detail: str) -> BatchTransformError:
        kind = Throttled if code in THROTTLED or status == TOO_MANY_REQUESTS else ServiceUnavailable
        return kind(name, code, detail, subject.kind)

    status = 0
    if isinstance(error, ParamValidationError):
        return subject.invalid(name, type(error).__name__, str(error))
    if not isinstance(error, ClientError):
        means = unavailable if isinstance(error, UNREACHABLE) else subject.refused
        return means(name, type(error).__name__, str(error))
    code, detail = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    otherwise = unavailable if code in TRANSIENT or status == TOO_MANY_REQUESTS or status >= 500 else subject.refused
    return MEANINGS.get((error.operation_name, code), otherwise)(name, code, detail)


@contextmanager
def typed_errors(name: str, subject: Subject = JOB) -> Iterator[None]:
    """Turn botocore's errors into this package's."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise meaning(error, name, subject) from error
