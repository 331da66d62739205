"""Many objects looked at together: most of the time of a look is waiting."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from airflow_batchtx.errors import ObjectNotFound
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject

# Objects that are looked at at once.
AT_ONCE = 16


def stats(store: ObjectStore, uris: Iterable[S3Uri]) -> list[StoredObject | None]:
    """Describe objects, in their order; None for one that is not there."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stats") as pool:
        return list(pool.map(partial(_stat, store), uris))


def _stat(store: ObjectStore, uri: S3Uri) -> StoredObject | None:
    try:
        return store.stat(uri)
    except ObjectNotFound:
        return None
