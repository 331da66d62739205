"""What a failed call to SageMaker means: one table for all operations, and no look at the texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)

from airflow_batchtx.errors import (
    BatchTransformError,
    JobNameTaken,
    JobNotFound,
    JobRefused,
    QuotaExceeded,
    ServiceUnavailable,
)

Meaning = Callable[[str, str, str], BatchTransformError]


def _missing(job_name: str, _code: str, _detail: str) -> BatchTransformError:
    return JobNotFound(job_name)


def _taken(job_name: str, _code: str, _detail: str) -> BatchTransformError:
    return JobNameTaken(job_name)


def _over_quota(job_name: str, _code: str, detail: str) -> BatchTransformError:
    return QuotaExceeded(job_name, detail)


# By operation and code. A job that does not exist is a ValidationException of Describe, not the ResourceNotFound that
# the model promises; nothing else about a well-formed name can be invalid there.
MEANINGS: Mapping[tuple[str, str], Meaning] = {
    ("CreateTransformJob", "ResourceInUse"): _taken,
    ("CreateTransformJob", "ResourceLimitExceeded"): _over_quota,
    ("DescribeTransformJob", "ValidationException"): _missing,
    ("DescribeTransformJob", "ResourceNotFound"): _missing,
    ("StopTransformJob", "ResourceNotFound"): _missing,
}

# An expired token is one of them: whoever rotates the connection's secret is expected to put a new one there.
TRANSIENT = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InternalFailure", "InternalServerError", "RequestExpired",
    "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "RequestTimeout",
    "RequestTimeoutException", "ServiceUnavailable", "ServiceUnavailableException", "SlowDown", "ThrottledException",
    "Throttling", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
UNREACHABLE = (ConnectionError, HTTPClientError, CredentialRetrievalError, MetadataRetrievalError)


def meaning(error: ClientError | BotoCoreError, job_name: str) -> BatchTransformError:
    """Give the typed error that a failure of botocore stands for."""
    if not isinstance(error, ClientError):
        kind = ServiceUnavailable if isinstance(error, UNREACHABLE) else JobRefused
        return kind(job_name, type(error).__name__, str(error))
    code, detail = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    otherwise = ServiceUnavailable if code in TRANSIENT or status == 429 or status >= 500 else JobRefused
    return MEANINGS.get((error.operation_name, code), otherwise)(job_name, code, detail)


@contextmanager
def typed_errors(job_name: str) -> Iterator[None]:
    """Turn botocore's errors into this package's."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise meaning(error, job_name) from error
