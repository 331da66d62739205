"""Small objects that are read one after another, fetched some at a time: most of the time of a read is waiting."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

# Objects that are fetched at once, and bytes of the largest that are.
AT_ONCE = 16
LARGEST = 1024 * 1024


@contextmanager
def ahead(store: ObjectStore, pairs: Sequence[Pair]) -> Iterator[ObjectStore]:
    """Give the store, in which the answers of these pairs are there sooner if they are read in their order."""
    small = [pair.answers.uri for pair in pairs if 0 < pair.answers.size <= LARGEST]
    if len(small) < 2:
        yield store
        return
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ahead")
    try:
        yield cast("ObjectStore", _Ahead(store, pool, small))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Near(io.BytesIO):
    @property
    def size(self) -> int:
        return len(self.getbuffer())


class _Ahead:
    def __init__(self, store: ObjectStore, pool: ThreadPoolExecutor, uris: Sequence[S3Uri]) -> None:
        self._store, self._pool = store, pool
        self._left = deque(uris)
        self._coming: dict[S3Uri, Future[bytes]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, uri: S3Uri) -> bytes:
        """Give an object that is on its way, or fetch it."""
        while self._left and len(self._coming) < AT_ONCE:
            following = self._left.popleft()
            self._coming[following] = self._pool.submit(self._store.get, following)
        coming = self._coming.pop(uri, None)
        return self._store.get(uri) if coming is None else coming.result()

    @contextmanager
    def reader(self, uri: S3Uri) -> Iterator[Any]:
        """Open an object that is on its way, or that is none of those that are."""
        if uri in self._coming or (self._left and uri == self._left[0]):
            with _Near(self.get(uri)) as near:
                yield near
        else:
            with self._store.reader(uri) as source:
                yield source
