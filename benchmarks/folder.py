"""An object store in a folder, so that tables are measured without S3."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from airflow_batchtx.errors import ObjectNotFound
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject


class OpenFile(io.BufferedReader):
    """An object that is read."""

    @property
    def size(self) -> int:
        return os.fstat(self.fileno()).st_size


@dataclass(frozen=True)
class Folder:
    """An ObjectStore in a folder: no errors but one, no conditions. It is its own recipe for another process."""

    root: Path

    def __call__(self) -> Folder:
        return self

    def path(self, uri: S3Uri) -> Path:
        return self.root / uri.bucket / uri.key

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        below = self.root / prefix.bucket
        keys = sorted(str(file.relative_to(below)) for file in below.rglob("*") if file.is_file())
        return (self.stat(S3Uri(prefix.bucket, key)) for key in keys if key.startswith(prefix.key))

    def stat(self, uri: S3Uri) -> StoredObject:
        return StoredObject(uri, self.path(uri).stat().st_size, "")

    def reader(self, uri: S3Uri) -> OpenFile:
        return OpenFile(io.FileIO(self.path(uri)))

    @contextmanager
    def writer(self, uri: S3Uri, **_: Any) -> Iterator[IO[bytes]]:
        path = self.path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("wb") as file:
                yield file
        except BaseException:
            path.unlink()
            raise

    def get(self, uri: S3Uri) -> bytes:
        if not self.path(uri).exists():
            raise ObjectNotFound(str(uri), "NoSuchKey", "")
        return self.path(uri).read_bytes()

    def get_range(self, uri: S3Uri, start: int, size: int) -> bytes:
        with self.reader(uri) as file:
            file.seek(start)
            return file.read(size)

    def put(self, uri: S3Uri, body: bytes, **_: Any) -> str:
        with self.writer(uri) as file:
            file.write(body)
        return ""

    def delete(self, uris: Iterable[S3Uri]) -> None:
        for uri in list(uris):
            self.path(uri).unlink(missing_ok=True)
