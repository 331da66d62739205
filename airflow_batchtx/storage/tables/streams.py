"""Objects as files, for libraries that want files."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore, ObjectWriter

# Bytes copied to disk at once.
COPY = 1024 * 1024


class SeekingFile(io.RawIOBase):
    """A file of a known `size` in bytes, wherever those lie."""

    def __init__(self, size: int) -> None:
        self.size, self._position = size, 0

    def part(self, start: int, size: int, /) -> bytes:
        """Return bytes that the file has."""
        raise NotImplementedError

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
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the object's end."""
        left = max(self.size - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self.part(self._position, wanted) if wanted else b""
        self._position += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer`, short only at the object's end."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


class RangedFile(SeekingFile):
    """An object as a file: each read is a request of its own. For the few reads of a file's footer."""

    def __init__(self, store: ObjectStore, uri: S3Uri, size: int) -> None:
        super().__init__(size)
        self._store, self._uri = store, uri

    def part(self, start: int, size: int, /) -> bytes:
        """Return bytes of the object."""
        return self._store.get_range(self._uri, start, size)


class Arriving(SeekingFile):
    """An object as a file that is read while it is still being copied to disk: a read waits for its bytes alone."""

    def __init__(self, source: ObjectReader, file: BinaryIO) -> None:
        super().__init__(source.size)
        self._source, self._file = source, file
        self._arrival = threading.Condition()
        self._come, self._is_over = 0, False
        self._failure: BaseException | None = None

    def copy(self) -> None:
        """Copy the object, in a thread of its own; what goes wrong is raised where it is read."""
        try:
            while not self._is_over and (data := self._source.read(COPY)):
                self._file.write(data)
                self._tell(come=len(data))
        except BaseException as error:  # noqa: BLE001 - it is raised by whoever reads
            self._failure = error
        finally:
            self._tell(is_over=True)

    def stop(self) -> None:
        """Copy no more."""
        self._tell(is_over=True)

    def part(self, start: int, size: int, /) -> bytes:
        """Return bytes of the object, once they are there."""
        with self._arrival:
            self._arrival.wait_for(lambda: self._is_over or self._come >= start + size)
        if self._come < start + size:
            self.verify()
        return os.pread(self._file.fileno(), size, start)

    def verify(self) -> None:
        """Raise what went wrong with the copy."""
        if self._failure is not None:
            raise self._failure

    def _tell(self, *, come: int = 0, is_over: bool = False) -> None:
        with self._arrival:
            self._come, self._is_over = self._come + come, self._is_over or is_over
            self._arrival.notify_all()


@contextmanager
def spooled(store: ObjectStore, uri: S3Uri) -> Iterator[Arriving]:
    """Give an object to readers that seek, as a temporary file (TMPDIR says where) that goes with the context.

    They need not wait for all of it. That it is whole is known when the context ends without an exception.
    """
    with store.reader(uri) as source, tempfile.TemporaryFile(buffering=0) as file:
        arriving = Arriving(source, cast("BinaryIO", file))
        if source.size <= COPY:
            arriving.copy()
            arriving.verify()
            yield arriving
            return
        with ThreadPoolExecutor(1, thread_name_prefix="spool") as pool:
            copied = pool.submit(arriving.copy)
            try:
                yield arriving
                copied.result()
                arriving.verify()
            finally:
                arriving.stop()


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
