"""Objects as files, for libraries that want files."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, ObjectWriter, StoredObject

# Bytes copied to disk at once.
COPY = 4 * 1024 * 1024


@contextmanager
def spooled(store: ObjectStore, uri: S3Uri) -> Iterator[BinaryIO]:
    """Copy an object to a temporary file (TMPDIR says where) for readers that seek; it goes with the context."""
    with store.reader(uri) as source, tempfile.TemporaryFile() as file:
        shutil.copyfileobj(source, file, COPY)
        file.seek(0)
        yield cast("BinaryIO", file)


class RangedFile(io.RawIOBase):
    """An object as a file that seeks: each read is a request of its own. For the few reads of a file's footer."""

    def __init__(self, store: ObjectStore, found: StoredObject) -> None:
        self._store, self._found, self._position = store, found, 0

    def readable(self) -> bool:
        """Say that this file is for reading."""
        return True

    def seekable(self) -> bool:
        """Say that this file is for seeking."""
        return True

    def tell(self) -> int:
        """Give the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._found.size}[whence]
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the object's end."""
        left = max(self._found.size - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._store.get_range(self._found.uri, self._position, wanted) if wanted else b""
        self._position += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer`, short only at the object's end."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


class DigestWriter(io.RawIOBase):
    """A file over an ObjectWriter that knows the `size` in bytes and the `sha256` of what went through it."""

    def __init__(self, target: ObjectWriter) -> None:
        self._target, self._hash, self.size = target, hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        """Hexadecimal digits."""
        return self._hash.hexdigest()

    def writable(self) -> bool:
        """Say that this file is for writing."""
        return True

    def tell(self) -> int:
        """Give the position in bytes."""
        return self.size

    def write(self, data: Any, /) -> int:
        """Pass all of `data` on."""
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self.size += len(view)
        return self._target.write(view)
