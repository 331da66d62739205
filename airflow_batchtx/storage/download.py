"""Reads one object of S3 from first byte to last, over as many connections as it takes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.failures import raise_for, storage_error, typed_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Bytes asked of a connection at once: what one break can cost again.
BITE = 8 * 1024 * 1024
# How often the stream may break before a bite arrives.
RESUMPTIONS = 5


class ResumingReader(io.RawIOBase):
    """An object as a file. A broken stream goes on where it broke, as long as the object is still the same one."""

    def __init__(self, client: S3Client, uri: S3Uri, request: dict[str, Any]) -> None:
        with typed_errors(uri):
            answer = client.get_object(**request)
        self._client, self._uri, self._request = client, uri, request
        self._body, self._etag, self._size = answer["Body"], answer["ETag"], answer["ContentLength"]
        self._position = 0

    @property
    def size(self) -> int:
        """Bytes of the whole object."""
        return int(self._size)

    def readable(self) -> bool:
        """Say that this file is for reading."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the object's end; everything that is left where `size` is negative."""
        if self.closed:
            raise ValueError(f"the reader of {self._uri} is closed")
        left = self._size - self._position
        wanted = left if size is None or size < 0 else min(size, left)
        bites = []
        while wanted > 0:
            bites.append(self._bite(min(wanted, BITE)))
            wanted -= len(bites[-1])
        if self._position == self._size:
            self._verify()
        return bites[0] if len(bites) == 1 else b"".join(bites)

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer`, short only at the object's end."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Drop the connection, with whatever it still had to bring."""
        if not self.closed:
            self._body.close()
        super().close()

    def _bite(self, size: int, resumptions: int = RESUMPTIONS) -> bytes:
        try:
            bite = self._body.read(size)  # botocore raises where a body is shorter than it was announced
        except (BotoCoreError, HTTPError) as cause:
            if not resumptions:
                raise_for(self._uri, cause)
        else:
            self._position += len(bite)
            return bite
        self._resume()
        return self._bite(size, resumptions - 1)

    def _resume(self) -> None:
        self._body.close()
        rest = f"bytes={self._position}-"
        with typed_errors(self._uri):
            answer = self._client.get_object(**self._request | {"Range": rest, "IfMatch": self._etag})
        self._body = answer["Body"]
        # Not every S3 look-alike honours both headers.
        if answer["ETag"] != self._etag or not answer.get("ContentRange", "").startswith(f"bytes {self._position}-"):
            raise storage_error(self._uri, "PreconditionFailed", "the object changed while it was read")

    def _verify(self) -> None:
        # botocore compares the checksum that S3 sent when a read meets the end.
        with typed_errors(self._uri):
            self._body.read(1)
