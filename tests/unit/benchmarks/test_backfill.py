"""What the page about a backfill is made of."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.spec.result import TransformResult
from benchmarks.backfill import PROVISIONED, WAITED, Month, compared, dollars


def month(jobs: int, *, seconds: float, transform: float = 3.0, slots: int = 4) -> Month:
    result = TransformResult.read(
        {
            "job_name": "j",
            "input": "s3://b/in/",
            "output": "s3://b/out/",
            "transform_seconds": transform,
            "instance_seconds": transform,
        }
    )
    return Month((result,) * jobs, rows=10, seconds=seconds, slots=slots)


def figures(jobs: Month, one: Month) -> dict[Any, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in compared(jobs, one).rows}


@pytest.mark.parametrize(("jobs", "waves"), [(30, 8), (4, 1), (5, 2), (1, 1)])
def test_jobs_wait_for_their_instances_in_waves(jobs: int, waves: int) -> None:
    found = month(jobs, seconds=waves * WAITED + 60)

    assert found.waves == waves
    assert found.reckoned == pytest.approx((waves * PROVISIONED + 60) / 60)


def test_all_instances_are_billed_by_the_price_list() -> None:
    assert float(dollars(month(30, seconds=1.0, transform=120.0))) == pytest.approx(30 * 120 / 3600 * 0.23)


def test_the_page_tells_what_one_job_saves_and_what_it_does_not() -> None:
    quicker = figures(month(30, seconds=90), month(1, seconds=9))
    assert quicker["jobs"][:2] == ("30", "1")
    assert (quicker["part of the time of 30 jobs"][1], quicker["part of the time of 30 jobs"][3]) == (0.1, "met")
    assert quicker["part of their cost"][1] == pytest.approx(1 / 30)

    slower = figures(month(30, seconds=90), month(1, seconds=99, transform=99))
    assert str(slower["part of the time of 30 jobs"][3]).startswith("missed")
    assert str(slower["part of their cost"][3]).startswith("missed")
