from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from airflow_batchtx.spec.allowance import Allowance, allowance


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, Allowance()),
        (7, Allowance(rows=7)),
        ("7", Allowance(rows=7)),
        (1, Allowance(rows=1)),
        (1.0, Allowance(part=Fraction(1))),
        (0.001, Allowance(part=Fraction(1, 1000))),
        ("0.1%", Allowance(part=Fraction(1, 1000))),
        (" 100 % ", Allowance(part=Fraction(1))),
        ("0.0", Allowance()),
        ("1e-3", Allowance(part=Fraction(1, 1000))),
    ],
)
def test_a_number_or_a_part(value: Any, expected: Allowance) -> None:
    assert allowance(value) == expected
    assert bool(expected) == (expected != Allowance())


@pytest.mark.parametrize("value", [True, None, [1], -1, "-1", 1.5, "101%", "1/2", "many", "", "%", float("nan"), "inf"])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="must be a number of rows"):
        allowance(value)


@pytest.mark.parametrize(
    ("value", "rows", "total", "allowed"),
    [
        (0, 0, 0, True), (0, 1, 10, False), (2, 2, 2, True), (2, 3, 10**6, False),
        ("0.1%", 1, 1000, True), ("0.1%", 1, 999, False), (0.29, 29, 100, True), ("100%", 5, 5, True),
        ("0.1%", 0, 0, True),
    ],
)  # fmt: skip
def test_it_is_held_to_exactly(value: Any, rows: int, total: int, allowed: bool) -> None:
    assert allowance(value).allows(rows, total) is allowed


def test_it_is_told_to_people() -> None:
    assert [str(allowance(value)) for value in (0, 12, "0.1%")] == ["0", "12", "0.001 of all"]
