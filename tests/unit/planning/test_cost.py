from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx import TransformJob
from airflow_batchtx.planning.cost import cost, costed, price, price_problems, seconds_for
from airflow_batchtx.spec.prices import Price, PriceTable
from airflow_batchtx.spec.result import TransformResult

XLARGE = Price(per_hour=0.23, currency="USD", date="2026-04-21", source="a list")
TABLE = PriceTable(prices={("us-east-1", "ml.m5.xlarge"): XLARGE})
CREATED = datetime(2026, 11, 23, tzinfo=timezone.utc)
ENDED = TransformResult.of(
    {
        **TransformJob(
            model_name="m", input="s3://b/in/", output="s3://b/out/", instance_type="ml.m5.xlarge", instance_count=2
        ).to_request(),
        "TransformJobName": "j",
        "TransformJobArn": "arn:aws:sagemaker:us-east-1:123456789012:transform-job/j",
        "TransformJobStatus": "Completed",
        "CreationTime": CREATED,
        "TransformStartTime": CREATED + timedelta(minutes=5),
        "TransformEndTime": CREATED + timedelta(minutes=35),
    }
)


@pytest.mark.parametrize(
    ("seconds", "count", "expected"), [(3600, 1, 0.23), (1800, 2, 0.23), (60, 10, 0.038333), (0, 4, 0)]
)
def test_what_instances_cost(seconds: float, count: int, expected: float) -> None:
    assert cost(seconds, count, XLARGE) == expected


@pytest.mark.parametrize("key", [("eu-west-1", "ml.m5.xlarge"), ("us-east-1", "ml.m5.large")])
def test_an_unknown_price_is_none_never_a_guess(key: tuple[str, str]) -> None:
    assert price(TABLE, *key) is None
    assert price(TABLE, "us-east-1", "ml.m5.xlarge") == XLARGE


def test_half_an_hour_on_two_instances_is_billed_as_one_hour() -> None:
    result = costed(ENDED, XLARGE)

    assert (result.instance_seconds, result.cost, result.currency, result.priced) == (3600, 0.23, "USD", "2026-04-21")


@pytest.mark.parametrize(("result", "known"), [(ENDED, None), (replace(ENDED, instance_seconds=None), XLARGE)])
def test_a_cost_that_nobody_knows_stays_unknown(result: TransformResult, known: Price | None) -> None:
    assert costed(result, known) == result
    assert costed(result, known).cost is None


@given(st.floats(0.01, 1e4), st.floats(0.05, 50), st.integers(1, 100))
def test_a_job_that_runs_as_long_as_its_money_lasts_costs_just_that(money: float, hourly: float, count: int) -> None:
    known = replace(XLARGE, per_hour=hourly)

    assert cost(seconds_for(money, known, count), count, known) == pytest.approx(money, abs=1e-6)


def test_a_limit_of_money_needs_a_price() -> None:
    (problem,) = price_problems(25.0, None, "us-west-2", "ml.m6i.large")

    assert problem.field == "max_cost"
    assert "ml.m6i.large in us-west-2" in problem.rule
    assert list(price_problems(25.0, XLARGE, "us-east-1", "ml.m5.xlarge")) == []
    assert list(price_problems(None, None, "us-west-2", "ml.m6i.large")) == []
