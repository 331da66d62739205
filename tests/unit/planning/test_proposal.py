from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.proposal import Load, Pace, Question, proposed, spoken, vcpus
from airflow_batchtx.planning.settings import MIB
from airflow_batchtx.planning.sharding import ShardWishes
from airflow_batchtx.spec.limits import INSTANCE_TYPES, MAX_INSTANCE_COUNT, MAX_PAYLOAD_PRODUCT_MB
from airflow_batchtx.spec.prices import Price

PACE = Pace(bytes_per_second=MIB, source="job churn-1", provisioning_seconds=200.0)
PRICE = Price(per_hour=3.6, currency="USD", date="2026-11-01", source="our contract")
EVEN = Load(total=40 * MIB, objects=(4 * MIB,) * 10, records=1000, longest=200)


def asked(load: Load = EVEN, **others: Any) -> Question:
    values = {"instance_type": "ml.m5.xlarge", **others.pop("values", {})}
    return Question(load=load, values=values, no_pace="nobody knows", **others)


def told(question: Question, member: str) -> tuple[int | None, str]:
    [choice] = [choice for choice in proposed(question).choices if choice.member == member]
    return choice.value, choice.why


# ------------------------------------------------------------------------------------------------------ instances


@pytest.mark.parametrize(
    ("question", "count", "why"),
    [
        (asked(), 1, "no time limit"),
        (asked(within=10.0), 1, "not known without a rate"),
        (asked(values={"instance_count": 4}), 4, "as the request says"),
        (asked(values={"instance_count": 4}, within=10.0), 4, "as the request says"),
        (asked(values={"instance_count": 11}), 11, "there are 10 objects"),
        (asked(Load(total=9, objects=(7, 1, 1)), values={"instance_count": 3}), 3, "the busiest instance gets 7 bytes"),
        # Of ten objects three instances get four, three and three.
        (asked(within=16.0, pace=PACE), 3, "done in 16 s: the busiest gets 16.0 MB"),
        (asked(within=15.9, pace=PACE), 4, "the busiest gets 12.0 MB"),
        (asked(within=16.0, pace=PACE, values={"instance_count": 1}), 3, "the fewest"),
        (asked(within=1.0, pace=PACE), 10, "whole objects are dealt"),
        (asked(Load(total=10 * MIB), within=2.5, pace=PACE), 4, "the busiest gets 2.5 MB"),
        (asked(Load(total=1000 * MIB), within=1.0, pace=PACE), MAX_INSTANCE_COUNT, "AWS takes no more"),
    ],
)
def test_instances(question: Question, count: int, why: str) -> None:
    value, reason = told(question, "instance_count")

    assert value == count
    assert why in reason


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), st.integers(1, 12))
def test_no_instance_gets_less_than_the_busiest_is_said_to(sizes: list[int], count: int) -> None:
    load = Load(total=sum(sizes), objects=sizes)

    assert -(-load.total // count) <= load.busiest(count) <= load.total
    assert Load(total=load.total).busiest(count) <= load.busiest(count)


@given(st.lists(st.integers(0, 10**8), max_size=20), st.floats(0.1, 1e4))
def test_fewer_instances_would_take_longer_than_allowed(sizes: list[int], within: float) -> None:
    load = Load(total=sum(sizes), objects=sizes)
    count, why = told(asked(load, within=within, pace=PACE), "instance_count")

    assert count is not None
    assert (load.busiest(count) / MIB <= within) == why.startswith("the fewest")
    assert all(load.busiest(fewer) / MIB > within for fewer in range(1, count))


# ----------------------------------------------------------------------------------------------- how much at once


@pytest.mark.parametrize(
    ("load", "given_mb", "payload", "why"),
    [
        (EVEN, None, 6, "SageMaker's own"),
        (EVEN, 50, 50, "as the request says"),
        (EVEN, 0, 0, "as the request says"),
        (Load(total=9, longest=3 * MIB), None, 6, "the longest record seen of 3.0 MB"),
        (Load(total=9, longest=3 * MIB + 1), None, 7, "with as much again for longer ones"),
        (Load(total=9, longest=80 * MIB), None, 100, "the longest record seen has 80.0 MB"),
        (Load(total=9, longest=101 * MIB), None, None, "no request may have more than 100 MB"),
        (Load(total=9), None, None, "not known"),
        (Load(total=9, objects=(), whole=True), None, None, "not known"),
        (Load(total=9, objects=(5, 6 * MIB), whole=True), None, 6, "the largest object"),
        (Load(total=9, objects=(5, 6 * MIB + 1), whole=True), None, 7, "sent whole"),
        (Load(total=9, objects=(100 * MIB + 1,), whole=True), None, None, "no request may have more"),
    ],
)
def test_payload(load: Load, given_mb: int | None, payload: int | None, why: str) -> None:
    values = {} if given_mb is None else {"max_payload_in_mb": given_mb}

    value, reason = told(asked(load, values=values), "max_payload_in_mb")

    assert value == payload
    assert why in reason


@pytest.mark.parametrize(
    ("question", "concurrency", "why"),
    [
        (asked(), 4, "one a vCPU, of which there are 4"),
        (asked(values={"max_concurrent_transforms": 3}), 3, "as the request says"),
        (asked(values={"instance_type": "ml.g5.xlarge"}), None, "the container says"),
        (asked(values={"max_payload_in_mb": 50}), 2, "100 MB at most"),
        (asked(values={"max_payload_in_mb": 0}), 4, "vCPU"),
        (asked(pace=Pace(bytes_per_second=1.0, source="job x", max_concurrent_transforms=9)), 9, "as job x had"),
    ],
)
def test_concurrency(question: Question, concurrency: int | None, why: str) -> None:
    value, reason = told(question, "max_concurrent_transforms")

    assert value == concurrency
    assert why in reason


@pytest.mark.parametrize("instance_type", INSTANCE_TYPES)
def test_payload_and_concurrency_are_what_a_request_may_have(instance_type: str) -> None:
    for longest in (1, 7 * MIB, 90 * MIB):
        members = proposed(asked(Load(total=9, longest=longest), values={"instance_type": instance_type})).members
        product = members["max_payload_in_mb"] * members.get("max_concurrent_transforms", 1)

        assert product <= MAX_PAYLOAD_PRODUCT_MB


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("ml.m5.large", 2), ("ml.m5.xlarge", 4), ("ml.c5.18xlarge", 72), ("ml.c4.8xlarge", 36),
        ("ml.r7i.48xlarge", 192), ("ml.g5.xlarge", None), ("ml.p3.2xlarge", None), ("ml.inf2.xlarge", None),
        ("m5.large", None),
    ],
)  # fmt: skip
def test_processors(instance_type: str, expected: int | None) -> None:
    assert vcpus(instance_type) == expected


# --------------------------------------------------------------------------------------------------- what to expect


def test_time_and_cost_follow_from_a_rate_and_a_price() -> None:
    expected = proposed(asked(pace=PACE, price=PRICE, values={"instance_count": 3})).expected

    assert (expected.provisioning_seconds, expected.transform_seconds) == (200.0, 16.0)
    assert "job churn-1" in expected.why_time
    # Every instance is billed until the last one has ended: 3 x 16 s of 3.6 an hour.
    assert (expected.cost, expected.currency) == (0.048, "USD")
    assert "2026-11-01" in expected.why_cost


def test_what_nobody_tells_is_not_known() -> None:
    no_pace = proposed(asked(price=PRICE)).expected
    no_price = proposed(asked(pace=PACE)).expected

    assert (no_pace.transform_seconds, no_pace.provisioning_seconds, no_pace.cost) == (None, None, None)
    assert no_pace.why_time == "nobody knows"
    assert (no_price.transform_seconds, no_price.cost, no_price.currency) == (40.0, None, None)
    assert "ml.m5.xlarge" in no_price.why_cost


# ---------------------------------------------------------------------------------------------------------- shards


def test_shards_are_planned_for_the_job_that_is_proposed() -> None:
    load = Load(total=4000 * MIB, records=10**6, longest=100)

    planned = proposed(asked(load, pace=PACE, within=500.0, wishes=ShardWishes(min_shards=3))).sharding

    assert planned is not None
    assert planned.min_shards == 8
    assert planned.reasons
    assert proposed(asked(load, wishes=ShardWishes(shard_bytes=77))).sharding.shard_bytes == 77  # type: ignore[union-attr]
    assert proposed(asked()).sharding is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "90 s"), (60, "1 min"), (1800, "30 min"), (3600, "1 h"), (7200, "2 h"), (0.5, "0.5 s")]
)
def test_time_limits_are_told_as_users_give_them(seconds: float, text: str) -> None:
    assert spoken(seconds) == text
