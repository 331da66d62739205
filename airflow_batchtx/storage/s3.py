"""Objects in Amazon S3, or whatever speaks its API, over a boto3 client that is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from airflow_batchtx.errors import (
    BucketNotFound,
    InvalidInput,
    ObjectChanged,
    ObjectNotFound,
    Problem,
    StorageError,
    refuse,
)
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.download import ResumingReader
from airflow_batchtx.storage.failures import storage_error, typed_errors
from airflow_batchtx.storage.port import StoredObject
from airflow_batchtx.storage.upload import PartedWriter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteTypeDef

OPERATIONS = (
    "GetObject", "PutObject", "HeadObject", "HeadBucket", "ListObjectsV2", "DeleteObjects",
    "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload",
)  # fmt: skip
# What this store says itself in some request.
OURS = frozenset({
    "Bucket", "Key", "Body", "Prefix", "Delete", "Range", "IfMatch", "IfNoneMatch", "UploadId", "PartNumber",
    "MultipartUpload", "ContinuationToken", "StartAfter", "Delimiter",
})  # fmt: skip
# S3 API Reference, DeleteObjects: "up to 1,000 keys".
DELETE_BATCH = 1_000


class S3Store:
    """An ObjectStore on S3; safe to share between threads, as its client is.

    `extra_args` (`RequestPayer`, `ExpectedBucketOwner`, `SSEKMSKeyId`, …) go with every request that knows them.
    `patient` is a client of the same S3 that waits longer for an answer, for requests that put parts together.
    """

    def __init__(
        self, client: S3Client, *, extra_args: Mapping[str, Any] | None = None, patient: S3Client | None = None
    ) -> None:
        self._client = client
        self._patient = patient or client
        members = {operation: _members(client, operation) for operation in OPERATIONS}
        known = frozenset().union(*members.values()) - OURS
        extra = dict(extra_args or {})
        refuse(InvalidInput, "Extra arguments for S3", _unknown(extra, known))
        self._extra = {
            operation: {name: value for name, value in extra.items() if name in members[operation]}
            for operation in OPERATIONS
        }

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        """Yield every object whose key starts with the raw text of `prefix`, in the UTF-8 byte order of keys."""
        request = {"Bucket": prefix.bucket, "Prefix": prefix.key, **self._extra["ListObjectsV2"]}
        with typed_errors(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(**request):
                for entry in page.get("Contents", ()):
                    uri = S3Uri(prefix.bucket, entry["Key"])
                    yield StoredObject(uri, entry["Size"], entry["ETag"], entry["LastModified"])

    def stat(self, uri: S3Uri) -> StoredObject:
        """Describe one object without reading it."""
        try:
            with typed_errors(uri):
                answer = self._client.head_object(**self._request(uri, "HeadObject"))
        except ObjectNotFound:
            self._require_bucket(uri)
            raise
        return StoredObject(uri, answer["ContentLength"], answer["ETag"], answer["LastModified"])

    @contextmanager
    def reader(self, uri: S3Uri) -> Iterator[ResumingReader]:
        """Open an object, as it is when the context is entered."""
        with closing(ResumingReader(self._client, uri, self._request(uri, "GetObject"))) as reader:
            yield reader

    @contextmanager
    def writer(
        self, uri: S3Uri, *, content_type: str | None = None, kms_key_id: str | None = None
    ) -> Iterator[PartedWriter]:
        """Write an object of any size, three parts of it in memory; after an exception nothing of it stays."""
        options = _options(content_type, kms_key_id)
        upload = PartedWriter(self._client, uri, partial(self._request, uri), options, patient=self._patient)
        try:
            yield upload
            upload.finish()
        except BaseException:
            upload.abort()
            raise

    def get(self, uri: S3Uri) -> bytes:
        """Return a whole object that is known to be small."""
        with self.reader(uri) as source:
            return source.read()

    def get_range(self, uri: S3Uri, start: int, size: int) -> bytes:
        """Return `size` bytes, at least one, from byte `start` on, which the object must have; fewer at its end."""
        request = self._request(uri, "GetObject") | {"Range": f"bytes={start}-{start + size - 1}"}
        with typed_errors(uri), closing(self._client.get_object(**request)["Body"]) as body:
            return body.read()

    def put(
        self,
        uri: S3Uri,
        body: bytes,
        *,
        content_type: str | None = None,
        kms_key_id: str | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        """Write a whole object in one request, at most 5 GiB, and return its ETag; ObjectChanged as the port says."""
        condition = ({"IfNoneMatch": "*"} if if_absent else {}) | ({"IfMatch": if_match} if if_match else {})
        request = self._request(uri, "PutObject") | _options(content_type, kms_key_id) | condition
        try:
            with typed_errors(uri):
                return self._client.put_object(**request, Body=body)["ETag"]
        except ObjectNotFound as error:  # what IfMatch asks for is gone
            raise ObjectChanged(error.uri, error.code, error.detail) from error

    def delete(self, uris: Iterable[S3Uri]) -> None:
        """Delete objects, 1,000 in a request; one that does not exist counts as deleted."""
        for bucket, same in groupby(uris, key=attrgetter("bucket")):
            while batch := list(islice(same, DELETE_BATCH)):
                self._delete(bucket, batch)

    def _delete(self, bucket: str, batch: list[S3Uri]) -> None:
        keys: DeleteTypeDef = {"Objects": [{"Key": uri.key} for uri in batch], "Quiet": True}
        with typed_errors(S3Uri(bucket)):
            answer = self._client.delete_objects(Bucket=bucket, Delete=keys, **self._extra["DeleteObjects"])
        for error in answer.get("Errors", ()):
            raise storage_error(S3Uri(bucket, error.get("Key", "")), error.get("Code", ""), error.get("Message", ""))

    def _require_bucket(self, uri: S3Uri) -> None:
        try:
            with typed_errors(uri):
                self._client.head_bucket(Bucket=uri.bucket, **self._extra["HeadBucket"])
        except ObjectNotFound as error:
            raise BucketNotFound(error.uri, error.code, error.detail) from error
        except StorageError:
            return  # the credentials may look at objects only: then the first answer stands

    def _request(self, uri: S3Uri, operation: str) -> dict[str, Any]:
        return {"Bucket": uri.bucket, "Key": uri.key, **self._extra[operation]}


def _members(client: S3Client, operation: str) -> frozenset[str]:
    shape = client.meta.service_model.operation_model(operation).input_shape
    return frozenset(shape.members if shape else ())


def _unknown(extra: Mapping[str, Any], known: frozenset[str]) -> Iterator[Problem]:
    for name, value in extra.items():
        if name not in known:
            yield Problem(
                name, value, "no request to S3 that is made here takes it", "Check its spelling in boto3's reference."
            )


def _options(content_type: str | None, kms_key_id: str | None) -> dict[str, Any]:
    typed = {"ContentType": content_type} if content_type else {}
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
    return typed | sealed
