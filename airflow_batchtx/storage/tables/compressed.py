"""Objects as streams of what is in them, whether they are compressed or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import pyarrow as pa

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore

# Decompressed bytes taken at once. Always so many, so that the same place in the text is told of at the same place in
# the object, however its readers read ahead.
STEP = 256 * 1024
MAGIC: Mapping[str, bytes] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


class Contents(Protocol):
    """What is in an object, from its first byte to its last."""

    closed: bool

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, fewer only at the end; MalformedRecord if they do not decompress."""
        ...

    def position(self, offset: int) -> int:
        """Tell how many bytes of the object hold what is before an offset that was read."""
        ...


@contextmanager
def opened(store: ObjectStore, uri: S3Uri, compression: str | None = None) -> Iterator[Contents]:
    """Open an object whose compression is "gzip" or "zstd", or that has none."""
    with store.reader(uri) as source:
        yield _Plain(source) if compression is None else _Decompressed(source, compression)


class _Plain:
    closed = False

    def __init__(self, source: ObjectReader) -> None:
        self._source = source

    def read(self, size: int, /) -> bytes:
        return self._source.read(size)

    def position(self, offset: int) -> int:
        return min(offset, self._source.size)


class _Decompressed:
    closed = False

    def __init__(self, source: ObjectReader, compression: str) -> None:
        self._compression, self._size = compression, source.size
        self._raw = _Counted(source)
        raw: Any = self._raw
        codec: Any = compression
        self._stream: Any = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec)
        # How many bytes of the object were taken when so many steps were.
        self._taken: list[int] = []
        self._ahead = b""

    def read(self, size: int, /) -> bytes:
        parts = []
        while size and (self._ahead or self._step()):
            part, self._ahead = self._ahead[:size], self._ahead[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def position(self, offset: int) -> int:
        step = -(-offset // STEP)
        return self._taken[step - 1] if 0 < step <= len(self._taken) else self._size * (step > 0)

    def _step(self) -> bool:
        """Decompress a little more; False at the end."""
        try:
            self._ahead = self._stream.read(STEP)
        except OSError as error:
            # Arrow has no other error for data that is cut off or damaged.
            raise MalformedRecord(f"is no {self._compression}, or damaged: {error}") from error
        self._taken.append(self._raw.count)
        return bool(self._ahead)


class _Counted:
    """A file for Arrow that knows how much of it was read."""

    closed = False

    def __init__(self, source: ObjectReader) -> None:
        self._source, self.count = source, 0

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.count += len(data)
        return data

    def close(self) -> None:
        """Leave the object to whoever opened it."""
        self.closed = True
