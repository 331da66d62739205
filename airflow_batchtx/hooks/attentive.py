"""Listings that are left off when their process is to end: they may take minutes, and a killed worker has seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject

# Objects from one look to the next: as many as a page of a listing has.
PAGE = 1_000


class AttentiveStore:
    """An ObjectStore that calls `look`, which may raise, as often as a listing goes on."""

    def __init__(self, store: ObjectStore, look: Callable[[], None]) -> None:
        self._store, self._look = store, look

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        """Yield what the store's own `objects` does."""
        for number, found in enumerate(self._store.objects(prefix)):
            if number % PAGE == 0:
                self._look()
            yield found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
