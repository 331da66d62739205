"""What a job costs, and how long it may run for an amount of money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from airflow_batchtx.errors import Problem
from airflow_batchtx.spec.prices import Price, PriceTable
from airflow_batchtx.spec.result import TransformResult

HOUR = 3600.0  # seconds


def price(table: PriceTable, region: str, instance_type: str) -> Price | None:
    """Give what an instance of this type costs in a Region; None where nobody has said so."""
    return table.prices.get((region, instance_type))


def cost(seconds: float, count: int, price: Price) -> float:
    """Give what `count` instances cost for so many seconds each, in the price's currency, to a millionth."""
    # AWS bills the time between TransformStartTime and TransformEndTime, by the second and on every instance.
    return round(seconds * count * price.per_hour / HOUR, 6)


def seconds_for(max_cost: float, price: Price, count: int) -> float:
    """Give how many seconds `count` instances run for an amount of money, in the price's currency."""
    return max_cost * HOUR / (price.per_hour * count)


def costed(result: TransformResult, price: Price | None) -> TransformResult:
    """Put the cost of an ended job into its result; without a price, or a time to bill, it stays unknown."""
    if price is None or result.instance_seconds is None:
        return result
    return replace(result, cost=cost(result.instance_seconds, 1, price), currency=price.currency, priced=price.date)


def price_problems(max_cost: float | None, known: Price | None, region: str, instance_type: str) -> Iterator[Problem]:
    """Yield why a limit of money cannot be kept: a job must not run on as if it had none."""
    if max_cost is not None and known is None:
        yield Problem(
            "max_cost",
            max_cost,
            f"cannot be kept: no price of {instance_type} in {region} is known",
            "Give its price by prices= or Airflow's option [batchtx] prices, or use max_runtime.",
        )
