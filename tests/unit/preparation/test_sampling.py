from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.errors import InvalidData
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.preparation.sampling import ENOUGH, Sample, sample
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore
from tests.unit.preparation.test_prepare import in_source, parquet, run, shards

HEAD = b"id,x,name\n"


def sampled(store: InMemoryStore, **options: Any) -> Sample:
    before = dict(store.bodies)
    found = sample(store, PrepareRequest.read({"source": "s3://b/src/", "output": "s3://b/in/", **options}))
    assert store.bodies == before
    return found


def rows(count: int, width: int = 5) -> bytes:
    return HEAD + b"".join(b"%06d,0.5,%s\n" % (row, b"n" * width) for row in range(count))


@pytest.mark.parametrize(
    ("store", "options"),
    [
        (in_source(a__csv=rows(100)), {"keep": ["id"]}),
        (in_source(a__csv=rows(100), b__csv=rows(30)), {"columns": ["x"]}),
        (in_source(a__parquet=parquet(id=range(100), x=[0.5] * 100)), {}),
        (in_source(a__csv=rows(100)), {"content_type": "application/jsonlines"}),
    ],
)
def test_a_source_that_is_read_whole_is_told_as_it_is(store: InMemoryStore, options: dict[str, Any]) -> None:
    found = sampled(store, **options)

    prepared = run(store, **options)
    assert found.rows == found.all_rows == prepared.rows
    assert found.lines == found.all_lines == sum(map(len, shards(store)))
    assert found.longest == max(len(line) for shard in shards(store) for line in shard.splitlines(keepends=True))


def test_of_a_large_source_the_first_rows_of_the_smallest_objects_are_read() -> None:
    store = in_source(a__csv=rows(400_000, 20), b__csv=rows(100, 20), c__csv=rows(200, 20))

    found = sampled(store)

    assert (found.objects, found.rows) == (3, 300)
    assert found.all_rows == pytest.approx(400_300, rel=0.1)


def test_enough_is_enough() -> None:
    store = in_source(a__csv=rows(700_000, 20))

    found = sampled(store)

    assert ENOUGH / 2 < found.lines < 3 * ENOUGH
    assert found.rows < 700_000
    assert found.all_rows == pytest.approx(700_000, rel=0.1)


def test_what_cannot_be_prepared_is_told_or_set_aside() -> None:
    store = in_source(a__csv=rows(50) + b"1,2\n")

    with pytest.raises(InvalidData):
        sampled(store)
    assert sampled(store, max_quarantined=1).rows == 50


def test_nothing_is_written_beside_what_was_prepared() -> None:
    store = in_source(a__csv=rows(10))
    prepare(store, PrepareRequest.read({"source": "s3://b/src/", "output": "s3://b/in/"}))

    sampled(store)

    assert list(store.objects(S3Uri("b", "in/shards/")))
