from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.spec import prices
from airflow_batchtx.spec.limits import INSTANCE_TYPES
from airflow_batchtx.spec.prices import Price, PriceTable

SHIPPED = Path(prices.__file__).with_name("prices.json")


def table(*lists: Any, **beside: Any) -> dict[str, Any]:
    return {"lists": list(lists), **beside}


def listed(**members: Any) -> dict[str, Any]:
    known = {"region": "us-east-1", "date": "2026-11-23", "source": "our contract", "per_hour": {"ml.m5.large": 0.1}}
    return {**known, **members}


def test_every_price_that_ships_is_of_a_known_type_and_has_a_day_and_a_source() -> None:
    shipped = PriceTable.read(SHIPPED.read_bytes()).prices

    assert {instance_type for _, instance_type in shipped} <= set(INSTANCE_TYPES)
    assert all(price.source.startswith("https://") and price.currency == "USD" for price in shipped.values())
    assert all(date(2024, 1, 1) <= date.fromisoformat(price.date) for price in shipped.values())
    assert all(0.05 < price.per_hour < 100 for price in shipped.values())


def test_a_larger_instance_costs_no_less() -> None:
    shipped = PriceTable.read(SHIPPED.read_bytes()).prices
    # A g5.16xlarge and a g6.16xlarge have one GPU, the 12xlarge have four.
    odd = {f"ml.{family}.16xlarge" for family in ("g5", "g6", "g6e")}
    for region in {region for region, _ in shipped}:
        for family in {name.split(".")[1] for _, name in shipped}:
            sizes = [name for name in INSTANCE_TYPES if name.split(".")[1] == family and name not in odd]
            ascending = [shipped[region, name].per_hour for name in sizes if (region, name) in shipped]
            assert ascending == sorted(ascending), (region, family)


@pytest.mark.parametrize(
    "written", [table(listed()), json.dumps(table(listed())), json.dumps(table(listed())).encode()]
)
def test_a_table_is_read_as_json_or_parsed(written: Any) -> None:
    read = PriceTable.read(written)

    assert read.prices == {
        ("us-east-1", "ml.m5.large"): Price(per_hour=0.1, currency="USD", date="2026-11-23", source="our contract")
    }


@pytest.mark.parametrize("key", [("eu-west-1", "ml.m5.large"), ("us-east-1", "ml.m5.xlarge")])
def test_an_unknown_price_is_none_never_a_guess(key: tuple[str, str]) -> None:
    read = PriceTable.read(table(listed()))

    assert read.price(*key) is None
    assert read.price("us-east-1", "ml.m5.large") == read.prices["us-east-1", "ml.m5.large"]


def test_the_later_list_counts() -> None:
    read = PriceTable.read(table(listed(), listed(per_hour={"ml.m5.large": 0.2}, currency="EUR")))

    price = read.prices["us-east-1", "ml.m5.large"]
    assert (price.per_hour, price.currency) == (0.2, "EUR")


def test_a_table_extends_another_unless_it_says_that_it_does_not() -> None:
    ours = PriceTable.read(table(listed(per_hour={"ml.m5.large": 0.1, "ml.m5.xlarge": 0.2})))
    theirs = table(listed(per_hour={"ml.m5.large": 0.05}))

    extended = PriceTable.read(theirs).over(ours)
    replaced = PriceTable.read({**theirs, "extends": False}).over(ours)

    assert {name: price.per_hour for (_, name), price in extended.prices.items()} == {
        "ml.m5.large": 0.05, "ml.m5.xlarge": 0.2,
    }  # fmt: skip
    assert {name: price.per_hour for (_, name), price in replaced.prices.items()} == {"ml.m5.large": 0.05}


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ("{", ["prices"]),
        ("[]", ["prices"]),
        ({"lists": {}}, ["prices"]),
        (table("us-east-1"), ["lists[0]"]),
        (table(listed(), extends="yes"), ["extends"]),
        (table(listed(region="Virginia")), ["lists[0].region"]),
        (table(listed(date="23.11.2026")), ["lists[0].date"]),
        (table(listed(date=20261123)), ["lists[0].date"]),
        (table(listed(source=" ")), ["lists[0].source"]),
        (table(listed(currency="$")), ["lists[0].currency"]),
        (table(listed(per_hour=0.1)), ["lists[0].per_hour"]),
        (table(listed(per_hour={"m5.large": 0.1})), ["lists[0].per_hour"]),
        (table(listed(per_hour={"ml.m5.large": 0})), ["lists[0].per_hour.ml.m5.large"]),
        (table(listed(per_hour={"ml.m5.large": True})), ["lists[0].per_hour.ml.m5.large"]),
        (table(listed(per_hour={"ml.m5.large": "free"})), ["lists[0].per_hour.ml.m5.large"]),
        (table(listed(), {}), [f"lists[1].{name}" for name in ("region", "date", "source", "per_hour")]),
    ],
    ids=str,
)  # fmt: skip
def test_everything_that_is_wrong_is_named(written: Any, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as raised:
        PriceTable.read(written)

    assert [problem.field for problem in raised.value.problems] == fields
