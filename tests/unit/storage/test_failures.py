from __future__ import annotations

import pickle

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, NoCredentialsError

from airflow_batchtx.errors import AccessDenied, BucketNotFound, ObjectChanged, ObjectNotFound, StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.failures import typed_errors

URI = S3Uri("b", "k")

CODES = [
    ("NoSuchKey", ObjectNotFound),
    ("404", ObjectNotFound),
    ("NoSuchBucket", BucketNotFound),
    ("AccessDenied", AccessDenied),
    ("403", AccessDenied),
    ("InvalidAccessKeyId", AccessDenied),
    ("ExpiredToken", AccessDenied),
    ("SlowDown", StorageError),
    ("PreconditionFailed", ObjectChanged),
    ("412", ObjectChanged),
    ("ConditionalRequestConflict", ObjectChanged),
    ("KMS.DisabledException", StorageError),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_a_code_of_s3_has_its_error(code: str, kind: type[StorageError]) -> None:
    refusal = ClientError({"Error": {"Code": code, "Message": "why"}}, "GetObject")
    with pytest.raises(StorageError) as caught, typed_errors(URI):
        raise refusal

    assert type(caught.value) is kind
    assert (caught.value.uri, caught.value.code, caught.value.detail) == ("s3://b/k", code, "why")
    assert caught.value.__cause__ is refusal


@pytest.mark.parametrize("cause", [NoCredentialsError(), ConnectTimeoutError(endpoint_url="http://s3", error="late")])
def test_an_exception_of_botocore_gives_its_name_as_code(cause: BotoCoreError) -> None:
    with pytest.raises(StorageError) as caught, typed_errors(URI):
        raise cause

    assert caught.value.code == type(cause).__name__
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_other_exceptions_pass() -> None:
    with pytest.raises(KeyError), typed_errors(URI):
        raise KeyError
