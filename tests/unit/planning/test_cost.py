from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.cost import cost, seconds_for
from airflow_batchtx.spec.prices import Price

XLARGE = Price(per_hour=0.23, currency="USD", date="2026-04-21", source="a list")


@pytest.mark.parametrize(("instance_seconds", "expected"), [(3600, 0.23), (600, 0.038333), (0, 0)])
def test_what_instances_cost(instance_seconds: float, expected: float) -> None:
    assert cost(instance_seconds, XLARGE) == expected


def test_two_instances_use_up_a_limit_in_half_the_time() -> None:
    assert seconds_for(0.23, XLARGE, 1) == 3600
    assert seconds_for(0.23, XLARGE, 2) == 1800


@given(st.floats(0.01, 1e4), st.floats(0.05, 50), st.integers(1, 100))
def test_a_job_that_runs_as_long_as_its_money_lasts_costs_just_that(money: float, hourly: float, count: int) -> None:
    known = replace(XLARGE, per_hour=hourly)

    assert cost(seconds_for(money, known, count) * count, known) == pytest.approx(money, abs=1e-6)
