"""Listing transform jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_batchtx.errors import JobRefused, ServiceUnavailable
from airflow_batchtx.sagemaker.jobs import TransformJobs
from tests.fake_sagemaker import CREATED, FakeSageMaker, refusal


def account(count: int) -> FakeSageMaker:
    """Jobs of which each is a minute older than the next."""
    fake = FakeSageMaker()
    for number in range(count):
        fake.add(f"job-{number:03}", ["Failed" if number % 2 else "InProgress"])
        fake.jobs[f"job-{number:03}"]["CreationTime"] = CREATED + timedelta(minutes=number)
    return fake


def jobs(fake: FakeSageMaker) -> TransformJobs:
    return TransformJobs(fake)  # type: ignore[arg-type]


def test_jobs_are_listed_newest_first_a_hundred_for_a_call() -> None:
    fake = account(250)

    names = [job["TransformJobName"] for job in jobs(fake).listed()]

    assert names == [f"job-{number:03}" for number in reversed(range(250))]
    assert len(fake.calls) == 3


@pytest.mark.parametrize(
    ("bounds", "count", "calls"),
    [
        ({"pages": 2}, 200, 2),
        ({"pages": 0}, 0, 0),
        ({"status": "Failed"}, 125, 2),
        ({"name_contains": "job-1"}, 100, 1),
        ({"created_after": CREATED + timedelta(minutes=239)}, 10, 1),
    ],
)
def test_a_listing_is_bounded(bounds: dict[str, Any], count: int, calls: int) -> None:
    fake = account(250)

    assert len(list(jobs(fake).listed(**bounds))) == count
    assert len(fake.calls) == calls


def test_a_page_leads_to_the_next_one() -> None:
    fake = jobs(account(150))

    first = fake.page()
    last = fake.page(token=first.token)

    assert (len(first.jobs), len(last.jobs), last.token) == (100, 50, None)
    assert first.jobs[-1]["CreationTime"] - last.jobs[0]["CreationTime"] == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", JobRefused), ("ThrottlingException", ServiceUnavailable)]
)
def test_a_listing_that_fails_says_how(code: str, kind: type[Exception]) -> None:
    fake = account(1)
    fake.trouble["ListTransformJobs"] = [refusal("ListTransformJobs", code)]

    with pytest.raises(kind):
        jobs(fake).page()
