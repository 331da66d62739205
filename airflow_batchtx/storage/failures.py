"""How S3's error codes and botocore's exceptions become the errors of this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from airflow_batchtx.errors import AccessDenied, BucketNotFound, ObjectChanged, ObjectNotFound, StorageError
from airflow_batchtx.spec.uri import S3Uri

# S3 API Reference, Error responses. An answer to HEAD has no body: botocore then makes its HTTP status the code.
KINDS: Mapping[str, type[StorageError]] = {
    "404": ObjectNotFound,
    "NoSuchKey": ObjectNotFound,
    "NoSuchBucket": BucketNotFound,
    "412": ObjectChanged,
    "PreconditionFailed": ObjectChanged,
    # Two conditional writes at once: this one came second.
    "409": ObjectChanged,
    "ConditionalRequestConflict": ObjectChanged,
    "403": AccessDenied,
    "AccessDenied": AccessDenied,
    "AccountProblem": AccessDenied,
    "AllAccessDisabled": AccessDenied,
    "ExpiredToken": AccessDenied,
    "InvalidAccessKeyId": AccessDenied,
    "InvalidToken": AccessDenied,
    "SignatureDoesNotMatch": AccessDenied,
}


def storage_error(uri: S3Uri, code: str, detail: str) -> StorageError:
    """Make the error that S3's `code` stands for."""
    return KINDS.get(code, StorageError)(str(uri), code, detail)


def raise_for(uri: S3Uri, cause: Exception) -> NoReturn:
    """Raise the error that an exception of botocore, or of the connection below it, stands for."""
    if isinstance(cause, ClientError):
        error = cause.response.get("Error", {})
        raise storage_error(uri, error.get("Code", ""), error.get("Message", "")) from cause
    raise storage_error(uri, type(cause).__name__, str(cause)) from cause


@contextmanager
def typed_errors(uri: S3Uri) -> Iterator[None]:
    """Raise what goes wrong inside as an error of this package."""
    try:
        yield
    except (BotoCoreError, ClientError) as cause:
        raise_for(uri, cause)
