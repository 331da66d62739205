from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.control.prices import price_table, shipped
from airflow_batchtx.errors import InvalidInput

KEY = ("us-east-1", "ml.m5.xlarge")
OURS: dict[str, Any] = {
    "lists": [{"region": "us-east-1", "date": "2026-11-23", "source": "us", "per_hour": {"ml.m5.xlarge": 0.2}}]
}


@pytest.mark.parametrize("given", [None, "", {}])
def test_without_a_table_of_ones_own_the_shipped_one_counts(given: Any) -> None:
    assert price_table(given) == shipped()
    assert price_table(given).prices[KEY].per_hour == 0.23


def test_ones_own_comes_as_it_is_as_json_or_as_a_file(tmp_path: Path) -> None:
    (file := tmp_path / "prices.json").write_text(json.dumps(OURS))

    for given in (OURS, json.dumps(OURS), str(file)):
        table = price_table(given)
        assert table.prices[KEY].per_hour == 0.2
        assert table.prices.keys() == shipped().prices.keys()


def test_it_may_stand_alone() -> None:
    assert price_table({**OURS, "extends": False}).prices.keys() == {KEY}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (binary := tmp_path / "prices.bin").write_bytes(b"\xff\xfe\x00")

    for path in (tmp_path / "nowhere.json", binary):
        with pytest.raises(InvalidInput, match="prices") as raised:
            price_table(str(path))
        assert raised.value.problems[0].value == str(path)
