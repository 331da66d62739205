from __future__ import annotations

import math
from datetime import date
from statistics import fmean
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.association.distributions import (
    BARS,
    COUNTED,
    LONGEST,
    TEXTS,
    Distribution,
    Numbers,
    Spread,
    Texts,
)


def spread(*batches: Any, kind: pa.DataType | None = None) -> Distribution:
    columns = [pa.array(batch, kind) for batch in batches]
    counted = Spread("p", kind or columns[0].type)
    for column in columns:
        counted.add(column)
    return counted.counted()


def numbers(*batches: Any, kind: pa.DataType | None = None) -> Numbers:
    found = spread(*batches, kind=kind).values
    assert isinstance(found, Numbers)
    return found


def texts(*batches: Any) -> Texts:
    found = spread(*batches).values
    assert isinstance(found, Texts)
    return found


# -------------------------------------------------------------------------------------------------------- numbers


def test_bars_of_probabilities() -> None:
    found = numbers([0.05, 0.29, 0.3], [0.95, 1.0])

    assert [(bar.low, bar.count) for bar in found.bars if bar.count] == [
        (0.04, 1), (0.28, 1), (0.3, 1), (0.94, 1), (1.0, 1),
    ]  # fmt: skip
    assert found.bars[0].high == 0.06
    assert (found.least, found.largest, found.median) == (0.05, 1.0, 0.3)


def test_classes_have_a_bar_each() -> None:
    found = numbers([0, 1, 1], [4, 1])

    assert [(bar.low, bar.high, bar.count) for bar in found.bars] == [
        (0, 1, 1), (1, 2, 3), (2, 3, 0), (3, 4, 0), (4, 5, 1),
    ]  # fmt: skip


def test_nulls_and_what_is_no_finite_number_are_told_apart() -> None:
    found = spread([1.5, None, math.nan, math.inf, -math.inf])

    assert (found.name, found.type, found.rows, found.nulls) == ("p", "double", 5, 1)
    assert isinstance(found.values, Numbers)
    assert (found.values.odd, found.values.least, found.values.largest) == (3, 1.5, 1.5)


@pytest.mark.parametrize("batches", [([],), ([None, None],), ([math.nan],)])
def test_no_number_at_all(batches: Any) -> None:
    found = numbers(*batches, kind=pa.float64())

    assert (found.least, found.mean, found.median, found.bars) == (None, None, None, ())


EXTREME = [
    [0.0], [-0.0, 0.0], [1e-320], [1.7e308, -1.7e308], [5e-324, 1.7e308], [1e300, 1e300 + 1e285], [123456789.125] * 3,
    [-3.0, -2.5, 7.25], [2.0**60, 2.0**60 + 4096],
]  # fmt: skip


@pytest.mark.parametrize("values", EXTREME, ids=str)
def test_numbers_of_any_size(values: list[float]) -> None:
    held(values, numbers(values))


@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30), min_size=1, max_size=5))
def test_every_number_is_in_one_bar(batches: list[list[float]]) -> None:
    values = [value for batch in batches for value in batch]

    held(values, numbers(*batches, kind=pa.float64()))


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
def test_every_whole_number_is_in_one_bar(values: list[int]) -> None:
    held([float(value) for value in values], numbers(values, kind=pa.int64()))


def held(values: list[float], found: Numbers) -> None:
    assert sum(bar.count for bar in found.bars) == len(values)
    assert len(found.bars) <= BARS
    assert all(early.high == late.low for early, late in zip(found.bars, found.bars[1:], strict=False))
    if values:
        assert (found.least, found.largest) == (min(values), max(values))
        assert found.median is not None
        assert min(values) <= found.median <= max(values)


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=200))
def test_bars_count_what_lies_between_their_edges(values: list[float]) -> None:
    found = numbers(values[:50], values[50:], kind=pa.float64())

    # A value may be counted beyond an edge by a billionth of a fine bin.
    for bar in found.bars:
        room = (bar.high - bar.low) * 1e-6
        sure = sum(bar.low + room <= value < bar.high - room for value in values)
        maybe = sum(bar.low - room <= value < bar.high + room for value in values)
        assert sure <= bar.count <= maybe
    assert found.mean == pytest.approx(fmean(values), abs=1e-9)


def test_decimals_are_numbers() -> None:
    assert numbers([1, 3], kind=pa.decimal128(10, 2)).mean == 2.0


# ---------------------------------------------------------------------------------------------------------- texts


def test_texts_that_are_seen_most_come_first() -> None:
    found = texts(["b", "a", "b"], [None, "a", "c"])

    assert found == Texts(most=(("a", 2), ("b", 2), ("c", 1)), others=0, different=3)


def test_rare_texts_are_counted_together() -> None:
    found = texts([f"{number:04}" for number in range(COUNTED)], ["0000"] * 3)

    assert found.most[0] == ("0000", 4)
    assert (len(found.most), found.others, found.different) == (TEXTS, COUNTED - TEXTS, COUNTED)


def test_too_many_texts_take_no_more_memory() -> None:
    found = texts([str(number) for number in range(COUNTED + 5)])

    assert (found.others, found.different) == (COUNTED + 5 - TEXTS, None)


def test_long_texts_are_cut_and_told_apart_all_the_same() -> None:
    alike = "x" * 100_000
    found = texts([f"{alike}a", f"{alike}b", f"{alike}a"], ["x" * LONGEST])

    assert [count for _, count in found.most] == [2, 1, 1]
    assert found.different == 3
    assert all(len(text) < LONGEST + 50 for text, _ in found.most)


@pytest.mark.parametrize(
    ("values", "text"), [([True], "true"), ([date(2026, 11, 30)], "2026-11-30"), ([[1, 2]], "[1, 2]"), ([b"x"], "x")]
)
def test_values_of_other_types_are_told_as_text(values: list[Any], text: str) -> None:
    assert texts(values).most == ((text, 1),)
