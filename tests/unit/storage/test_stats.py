from __future__ import annotations

import pytest

from airflow_batchtx.errors import BucketNotFound
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.stats import stats
from tests.fakes import InMemoryStore


def test_objects_are_described_in_their_order_and_those_that_are_not_there_too() -> None:
    store = InMemoryStore({f"s3://b/{number}": b"x" * number for number in range(40)})
    uris = [S3Uri("b", str(number)) for number in (*range(39, -1, -1), 41)]

    assert [found and found.size for found in stats(store, uris)] == [*range(39, -1, -1), None]


def test_another_error_is_raised() -> None:
    with pytest.raises(BucketNotFound):
        stats(InMemoryStore(buckets=["b"]), [S3Uri("c", "x")])
