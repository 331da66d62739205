"""What instances cost: dated, sourced lists, as `prices.json` beside this module holds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.spec.limits import INSTANCE_TYPE_PATTERN
from airflow_batchtx.spec.options import positive

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one instance costs for an hour, in `currency`; who said so (`source`), and of which day it is."""

    per_hour: float
    currency: str
    date: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Prices by Region and instance type. One that `extends` adds to another, one that does not stands for itself."""

    prices: Mapping[tuple[str, str], Price]
    extends: bool = True

    def price(self, region: str, instance_type: str) -> Price | None:
        """Give what an instance costs in a Region; None where no list tells it, never a guess."""
        return self.prices.get((region, instance_type))

    def over(self, other: PriceTable) -> PriceTable:
        """Put this table's prices over those of another, or in their place."""
        return replace(other, prices={**other.prices, **self.prices}) if self.extends else self

    @classmethod
    def read(cls, value: object) -> PriceTable:
        """Read lists of prices, as JSON or parsed; InvalidInput names everything that is wrong with them.

        Of two prices for the same type in the same Region, the one in the later list counts.
        """
        parsed = _parsed(value)
        refuse(InvalidInput, "price table", _problems(parsed))
        return cls(
            prices={
                (listed["region"], instance_type): Price(
                    per_hour=positive(per_hour),
                    currency=listed.get("currency", "USD"),
                    date=listed["date"],
                    source=listed["source"],
                )
                for listed in parsed["lists"]
                for instance_type, per_hour in listed["per_hour"].items()
            },
            extends=parsed.get("extends", True),
        )


def _parsed(value: object) -> Any:
    if not isinstance(value, str | bytes):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        problem = Problem("prices", value, f"is no JSON: {error}", _FORM)
        raise InvalidInput("price table", (problem,)) from error


_FORM = (
    'Give {"lists": [{"region": "us-east-1", "currency": "USD", "date": "2026-04-21", "source": "our contract", '
    '"per_hour": {"ml.m5.xlarge": 0.23}}]}, and "extends": false beside "lists" for a table without our prices.'
)


def _problems(value: Any) -> Iterator[Problem]:
    if not isinstance(value, Mapping) or not isinstance(value.get("lists"), list):
        yield Problem("prices", value, "has no lists of prices", _FORM)
        return
    if not isinstance(value.get("extends", True), bool):
        yield Problem("extends", value["extends"], "must be true or false", _FORM)
    for number, listed in enumerate(value["lists"]):
        if isinstance(listed, Mapping):
            yield from _list_problems(f"lists[{number}].", listed)
        else:
            yield Problem(f"lists[{number}]", listed, "is no list of prices", _FORM)


def _list_problems(where: str, listed: Mapping[str, Any]) -> Iterator[Problem]:
    for name, holds, rule in (
        ("region", _is_region, "must be a Region such as us-east-1"),
        ("date", _is_date, "must be a day, such as 2026-04-21"),
        ("source", _is_text, "must say where the prices are from"),
        ("currency", _is_currency, "must be a currency's three letters"),
        ("per_hour", lambda prices: isinstance(prices, Mapping), "must give prices by instance type"),
    ):
        value = listed.get(name, "USD" if name == "currency" else None)
        if not holds(value):
            yield Problem(f"{where}{name}", value, rule, _FORM)
        elif name == "per_hour":
            yield from _price_problems(f"{where}per_hour", value)


def _price_problems(where: str, prices: Mapping[Any, Any]) -> Iterator[Problem]:
    for instance_type, per_hour in prices.items():
        if not isinstance(instance_type, str) or not re.fullmatch(INSTANCE_TYPE_PATTERN, instance_type):
            yield Problem(where, instance_type, "is no instance type", _FORM)
        try:
            positive(per_hour)
        except ValueError as error:
            yield Problem(f"{where}.{instance_type}", per_hour, str(error), _FORM)


def _is_region(value: object) -> bool:
    return isinstance(value, str) and bool(_REGION.fullmatch(value))


def _is_currency(value: object) -> bool:
    return isinstance(value, str) and bool(_CURRENCY.fullmatch(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
