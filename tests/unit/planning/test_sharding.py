from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.settings import MIB
from airflow_batchtx.planning.sharding import LARGEST, ROUNDS, Rows, Sharding, ShardWishes, sharding
from airflow_batchtx.spec.enums import BatchStrategy

GIB = 1024 * MIB


def planned(size: int = GIB, count: int | None = None, longest: int | None = None, **wishes: Any) -> Sharding:
    return sharding(ShardWishes(**wishes), Rows(size=size, count=count, longest=longest))


@pytest.mark.parametrize(
    ("wishes", "size", "expected"),
    [
        ({}, 0, (LARGEST, 1)),
        ({"min_shards": 3}, GIB, (LARGEST, 3)),
        ({"shard_bytes": 7, "instance_count": 2}, GIB, (7, 2)),
        ({"instance_count": 2}, GIB, (LARGEST, 2)),
        ({"instance_count": 2, "min_shards": 9}, GIB, (LARGEST, 9)),
        # 100 MiB are 12.5 for each of eight shards: two full requests of 6 MiB.
        ({"instance_count": 2}, 100 * MIB, (12 * MIB, 2)),
        ({"instance_count": 2}, 10 * MIB, (6 * MIB, 2)),
        ({"instance_count": 1, "max_payload_in_mb": 2}, 10 * MIB, (2 * MIB, 1)),
        ({"instance_count": 1, "max_payload_in_mb": 2, "max_concurrent_transforms": 3}, 10 * MIB, (6 * MIB, 1)),
        ({"instance_count": 1, "max_payload_in_mb": 100}, 10 * MIB, (LARGEST, 1)),
        ({"max_payload_in_mb": 0}, MIB, (MIB, 1)),
        ({"batch_strategy": BatchStrategy.SINGLE_RECORD}, MIB, (MIB, 1)),
        ({"batch_strategy": BatchStrategy.SINGLE_RECORD}, 13 * MIB + 8, (13 * MIB // 4 + 2, 1)),
        ({"max_concurrent_transforms": 0}, MIB, (6 * MIB, 1)),
    ],
    ids=str,
)
def test_shards_suit_the_job(wishes: dict[str, Any], size: int, expected: tuple[int, int]) -> None:
    made = planned(size, **wishes)

    assert (made.shard_bytes, made.min_shards) == expected
    assert made.shard_rows is None


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, ["nothing is known of the job"]),
        ({"shard_bytes": 7}, ["that was asked for"]),
        ({"instance_count": 2}, ["a failed one is soon done again", "dealt to the 2 instances"]),
        ({"size": 100 * MIB, "instance_count": 2}, ["about 4 for each of 2 instances, out of about 104,857,600 bytes"]),
        ({"size": MIB, "max_concurrent_transforms": 4}, ["4 x 6 MiB of requests are full"]),
        ({"size": MIB, "max_payload_in_mb": 0}, ["requests are not filled up"]),
        ({"min_shards": 5}, ["There are 5 shards at least: that was asked for."]),
        ({"instance_count": 5, "count": 3}, ["only 3 rows, a shard each, and not 5 of them"]),
        ({"longest": 6 * MIB + 1}, ["A row has 6,291,457 bytes, more than a request of 6 MiB takes"]),
        ({"longest": 9 * MIB, "max_payload_in_mb": 9}, []),
    ],
    ids=str,
)
def test_each_number_has_its_reason(known: dict[str, Any], words: list[str]) -> None:
    reasons = " ".join(planned(**known).reasons)

    assert all(word in reasons for word in words)
    assert ("A row has" in reasons) == any("A row has" in word for word in words)


@given(
    size=st.integers(0, 2**45),
    wishes=st.fixed_dictionaries(
        {
            "instance_count": st.none() | st.integers(1, 100),
            "max_payload_in_mb": st.none() | st.integers(0, 100),
            "max_concurrent_transforms": st.none() | st.integers(0, 100),
            "min_shards": st.integers(1, 100),
            "batch_strategy": st.none() | st.sampled_from(BatchStrategy),
        }
    ),
)
def test_any_job_gets_shards_of_a_sane_size(size: int, wishes: dict[str, Any]) -> None:
    made = planned(size, **wishes)

    assert MIB <= made.shard_bytes <= LARGEST
    assert made.min_shards == max(wishes["min_shards"], wishes["instance_count"] or 1)
    # Much data makes enough shards for every instance to have some more when it is done with one.
    instances = wishes["instance_count"] or 1
    if size >= LARGEST * ROUNDS * instances:
        assert size // made.shard_bytes >= ROUNDS * instances
    assert made.reasons
    assert all(reason.endswith(".") for reason in made.reasons)
