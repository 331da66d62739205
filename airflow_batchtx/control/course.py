"""The course of a piece of work: from its job to its outcome, over other instance types and past quotas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_batchtx.control.assignment import Started
from airflow_batchtx.control.waiting import ended
from airflow_batchtx.errors import JobCapacityError, Postponed
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import Policy

# Seconds between two tries to create a job that a quota keeps out, give or take half.
QUOTA_PAUSE = 60.0

INSTANCE_TYPE = BY_NAME["instance_type"].path
T = TypeVar("T")


def to_end(
    started: Started,
    policy: Policy,
    *,
    start: Callable[[], Started],
    wait: Callable[[Started], Described],
    conclude: Callable[[Started, Described], T],
) -> T:
    """Wait for a job, and for those after it on other instance types where there is no capacity for its own.

    `wait` gives what DescribeTransformJob says of the ended job, `conclude` what that means, or raises it; `start`
    gives the work its next job after a JobCapacityError, as long as the policy names another type.
    """
    while True:
        described = started.described
        if not ended(described):
            described = wait(started)
        try:
            return conclude(started, described)
        except JobCapacityError:
            if policy.next_instance_type(wire.at(described, INSTANCE_TYPE)) is None:
                raise
        started = start()


def next_try(
    postponed: Postponed, policy: Policy, waited: float, chance: float, *, pause: float = QUOTA_PAUSE
) -> float:
    """Give the seconds until a job that was postponed is tried again: `pause`, give or take half.

    `chance` is a number from 0 to 1, for that jitter. What keeps the job out is raised where it has been `waited` for
    long enough, in seconds.
    """
    if waited >= policy.quota_timeout:
        raise postponed.__cause__ if isinstance(postponed.__cause__, Exception) else postponed
    return pause * (0.5 + chance)
