"""Quotas and throttling."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.engine.quotas import Quotas
from airflow_batchtx.engine.throttle import Rate, Throttle
from airflow_batchtx.errors import RequestRefused


def of(kind: str, count: int) -> dict[str, Any]:
    return {"InstanceType": kind, "InstanceCount": count}


RUNNING = [of("ml.m5.large", 2), of("ml.m5.xlarge", 3), of("ml.m5.large", 1)]
LIMIT = (
    "The account-level service limit '{name}' is {limit} Instances, with current utilization of {used} Instances and a"
    " request delta of {delta} Instances."
    " Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available,"
    " contact AWS support to request an increase for this quota."
)


def refused(limits: dict[str, int], wanted: dict[str, Any]) -> tuple[str, str] | None:
    """Ask for instances; code and text of the refusal, None where they are granted."""
    try:
        with Quotas(limits).granted(wanted, lambda: RUNNING):
            return None
    except RequestRefused as error:
        return error.code, error.detail


def test_a_quota_of_a_type_counts_the_instances_of_that_type() -> None:
    limits = {"ml.m5.large": 4}

    assert refused(limits, of("ml.m5.large", 1)) is None
    assert refused(limits, of("ml.m5.xlarge", 90)) is None
    assert refused(limits, of("ml.m5.large", 2)) == (
        "ResourceLimitExceeded",
        LIMIT.format(name="ml.m5.large for transform job usage", limit=4, used=3, delta=2),
    )


def test_the_quota_of_all_counts_every_instance() -> None:
    assert refused({"all": 7}, of("ml.c5.large", 1)) is None
    assert refused({"all": 6}, of("ml.c5.large", 1)) == (
        "ResourceLimitExceeded",
        LIMIT.format(name="Number of instances across all transform jobs", limit=6, used=6, delta=1),
    )


def test_without_limits_nothing_is_counted() -> None:
    with Quotas({}).granted(of("ml.m5.large", 1), lambda: pytest.fail("asked what is in use")):
        pass


def test_a_burst_and_then_the_rate() -> None:
    now = [0.0]
    throttle = Throttle(Rate(2, 3), lambda: now[0])

    def passed(operation: str = "DescribeTransformJob", region: str = "us-east-1") -> bool:
        try:
            throttle.admit(region, operation)
        except RequestRefused as error:
            return (error.code, error.detail) != ("ThrottlingException", "Rate exceeded")
        return True

    assert [passed() for _ in range(4)] == [True, True, True, False]
    # Each operation has its own, in each Region.
    assert passed("ListTransformJobs")
    assert passed(region="eu-west-1")
    now[0] = 0.5
    assert [passed(), passed()] == [True, False]
    now[0] = 100.0
    assert [passed() for _ in range(4)] == [True, True, True, False]


def test_without_a_rate_everything_passes() -> None:
    throttle = Throttle(None, lambda: 0.0)

    for _ in range(1000):
        throttle.admit("us-east-1", "DescribeTransformJob")
