"""What the rest of the package asks of an object store: whole objects, as streams of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it. `size` in bytes; `etag` as S3 writes it, quotes included."""

    uri: S3Uri
    size: int
    etag: str
    last_modified: datetime | None = None


class ObjectReader(Protocol):
    """One object's bytes from first to last; it never mixes two versions of the object."""

    @property
    def size(self) -> int:
        """Bytes of the whole object, as it lies in the store."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the object's end; everything that is left where `size` is negative."""
        ...

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Fill `buffer`, short only at the object's end, and return how many bytes came."""
        ...

    def close(self) -> None:
        """Drop the connection; leaving the reader's context does it too."""
        ...


class ObjectWriter(Protocol):
    """An object that does not exist yet: it appears, whole, when the writer's context is left without an exception."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of `data`, which may be reused at once, and return its length in bytes."""
        ...


class ObjectStore(Protocol):
    """Objects by their addresses. Every method raises ObjectNotFound, BucketNotFound, AccessDenied or StorageError."""

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        """Yield every object whose key starts with the raw text of `prefix`, in the UTF-8 byte order of keys."""
        ...

    def stat(self, uri: S3Uri) -> StoredObject:
        """Describe one object without reading it."""
        ...

    def reader(self, uri: S3Uri) -> AbstractContextManager[ObjectReader]:
        """Open an object, as it is when the context is entered."""
        ...

    def writer(
        self, uri: S3Uri, *, content_type: str | None = None, kms_key_id: str | None = None
    ) -> AbstractContextManager[ObjectWriter]:
        """Write an object of any size in bounded memory; after an exception in the context nothing of it stays."""
        ...

    def get(self, uri: S3Uri) -> bytes:
        """Return a whole object that is known to be small."""
        ...

    def get_range(self, uri: S3Uri, start: int, size: int) -> bytes:
        """Return `size` bytes, at least one, from byte `start` on, which the object must have; fewer at its end."""
        ...

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
        """Write a whole object in one request, and return its ETag.

        `if_absent` writes it only where there is none, `if_match` only in the place of the object with that ETag; else
        ObjectChanged is raised, for one of several that write at once too. It may be this very call that wrote what
        is there: an answer that was lost on its way is asked for again. Who must know reads the object.
        """
        ...

    def delete(self, uris: Iterable[S3Uri]) -> None:
        """Delete objects; one that does not exist counts as deleted."""
        ...
