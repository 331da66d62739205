"""What a job costs, and how long it may run for an amount of money."""

from __future__ import annotations

from airflow_batchtx.spec.prices import Price

_HOUR = 3600.0  # seconds


def cost(instance_seconds: float, price: Price) -> float:
    """Give what so many seconds of instances cost, in the price's currency, to a millionth.

    AWS bills the time between a job's start and end, by the second and on every instance.
    """
    return round(instance_seconds * price.per_hour / _HOUR, 6)


def seconds_for(max_cost: float, price: Price, count: int) -> float:
    """Give how many seconds `count` instances may run for an amount of money, in the price's currency."""
    return max_cost * _HOUR / (price.per_hour * count)
