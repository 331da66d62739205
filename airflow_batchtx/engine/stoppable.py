"""A store for work that its job may leave alone: such work ends at its next look, and goes on for nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_batchtx.engine.waiting import Signal
from airflow_batchtx.errors import TransformStopped
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore, ObjectWriter, StoredObject


@dataclass(frozen=True, slots=True)
class StoppableStore:
    """An ObjectStore that raises TransformStopped after `stopping`, from each call and from reads of open objects."""

    store: ObjectStore
    stopping: Signal

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        """Yield what lies below a prefix."""
        for found in self._wanted().objects(prefix):
            _check(self.stopping)
            yield found

    def stat(self, uri: S3Uri) -> StoredObject:
        """Describe one object."""
        return self._wanted().stat(uri)

    @contextmanager
    def reader(self, uri: S3Uri) -> Iterator[ObjectReader]:
        """Open an object."""
        with self._wanted().reader(uri) as opened:
            yield _Reader(opened, self.stopping)

    @contextmanager
    def writer(
        self, uri: S3Uri, *, content_type: str | None = None, kms_key_id: str | None = None
    ) -> Iterator[ObjectWriter]:
        """Write an object of any size; none is there after a stop."""
        with self._wanted().writer(uri, content_type=content_type, kms_key_id=kms_key_id) as opened:
            yield opened
            _check(self.stopping)

    def get(self, uri: S3Uri) -> bytes:
        """Return a whole object."""
        return self._wanted().get(uri)

    def get_range(self, uri: S3Uri, start: int, size: int) -> bytes:
        """Return a part of an object."""
        return self._wanted().get_range(uri, start, size)

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
        """Write a whole object."""
        return self._wanted().put(
            uri, body, content_type=content_type, kms_key_id=kms_key_id, if_absent=if_absent, if_match=if_match
        )

    def delete(self, uris: Iterable[S3Uri]) -> None:
        """Delete objects."""
        self._wanted().delete(uris)

    def _wanted(self) -> ObjectStore:
        _check(self.stopping)
        return self.store


@dataclass(frozen=True, slots=True)
class _Reader:
    opened: ObjectReader
    stopping: Signal

    @property
    def size(self) -> int:
        return self.opened.size

    def read(self, size: int = -1, /) -> bytes:
        _check(self.stopping)
        return self.opened.read(size)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        _check(self.stopping)
        return self.opened.readinto(buffer)

    def close(self) -> None:
        self.opened.close()


def _check(stopping: Signal) -> None:
    if stopping.is_set():
        raise TransformStopped
