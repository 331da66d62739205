"""Stand-ins for the outside world, for tests to hand in."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from airflow_batchtx.errors import BucketNotFound, ObjectChanged, ObjectNotFound
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject


class OpenObject(io.BytesIO):
    """An object that is read."""

    @property
    def size(self) -> int:
        return len(self.getbuffer())


class InMemoryStore:
    """An ObjectStore in a dictionary: `InMemoryStore({"s3://bucket/key": b"bytes"})`; their buckets exist by it.

    What it begins with is of `BEGINNING`; every put is a second later than the one before. `now` may be set.
    """

    BEGINNING = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)

    def __init__(self, objects: Mapping[str, bytes] | None = None, buckets: Iterable[str] = ()) -> None:
        self.bodies = {S3Uri.parse(uri): body for uri, body in (objects or {}).items()}
        self.buckets = {uri.bucket for uri in self.bodies} | set(buckets)
        self.content_types: dict[S3Uri, str | None] = {}
        self.kms_key_ids: dict[S3Uri, str | None] = {}
        self.now = self.BEGINNING
        self.modified: dict[S3Uri, datetime] = {}
        self._putting = threading.Lock()

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        self._require_bucket(prefix)
        found = (uri for uri in self.bodies if uri.bucket == prefix.bucket and uri.key.startswith(prefix.key))
        yield from [self.stat(uri) for uri in sorted(found, key=lambda uri: uri.key.encode())]

    def stat(self, uri: S3Uri) -> StoredObject:
        body = self.get(uri)
        return StoredObject(uri, len(body), etag_of(body), self.modified.get(uri, self.BEGINNING))

    @contextmanager
    def reader(self, uri: S3Uri) -> Iterator[OpenObject]:
        with OpenObject(self.get(uri)) as source:
            yield source

    @contextmanager
    def writer(
        self, uri: S3Uri, *, content_type: str | None = None, kms_key_id: str | None = None
    ) -> Iterator[io.BytesIO]:
        target = io.BytesIO()
        yield target
        self.put(uri, target.getvalue(), content_type=content_type, kms_key_id=kms_key_id)

    def get(self, uri: S3Uri) -> bytes:
        self._require_bucket(uri)
        try:
            return self.bodies[uri]
        except KeyError:
            raise ObjectNotFound(str(uri), "NoSuchKey", "The specified key does not exist.") from None

    def get_range(self, uri: S3Uri, start: int, size: int) -> bytes:
        return self.get(uri)[start : start + size]

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
        self._require_bucket(uri)
        with self._putting:
            there = etag_of(self.bodies[uri]) if uri in self.bodies else None
            if (if_absent and there) or (if_match and if_match != there):
                raise ObjectChanged(str(uri), "PreconditionFailed", "A precondition did not hold.")
            self.now += timedelta(seconds=1)
            self.bodies[uri], self.modified[uri] = bytes(body), self.now
            self.content_types[uri], self.kms_key_ids[uri] = content_type, kms_key_id
        return etag_of(body)

    def delete(self, uris: Iterable[S3Uri]) -> None:
        for uri in uris:
            self._require_bucket(uri)
            self.bodies.pop(uri, None)

    def _require_bucket(self, uri: S3Uri) -> None:
        if uri.bucket not in self.buckets:
            raise BucketNotFound(str(uri), "NoSuchBucket", "The specified bucket does not exist")


def etag_of(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
