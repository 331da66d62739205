from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.association.narrowing import first_beyond, held, narrowest


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["1", "-2", "0"], "int64", [1, -2, 0]),
        (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)]),
        (["1", ""], "int64", [1, None]),
        (["", ""], "int64", [None, None]),
        ([], "int64", []),
        (["1", "0.5"], "double", [1.0, 0.5]),
        (["1.0"], "double", [1.0]),
        (["1e-3", "-inf", ".5", "+2"], "double", [0.001, -math.inf, 0.5, 2.0]),
        ([" 1.5", "2 "], "double", [1.5, 2.0]),
        (["9007199254740991", "0.5"], "double", [2.0**53 - 1, 0.5]),
        (["1e300", "0.5"], "double", [1e300, 0.5]),
        (["007", "1"], "string", ["007", "1"]),
        (["9007199254740993", "0.5"], "string", ["9007199254740993", "0.5"]),
        (["9223372036854775808"], "string", ["9223372036854775808"]),
        (["0x10"], "string", ["0x10"]),
        (["yes", "1", ""], "string", ["yes", "1", ""]),
        (["NA"], "string", ["NA"]),
        (["true"], "string", ["true"]),
    ],
    ids=str,
)
def test_the_narrowest_type_that_holds_all(texts: list[str], kind: str, values: list[Any]) -> None:
    column = pa.array(texts, pa.string())

    assert narrowest(column, "int64") == kind
    assert held(column, kind).to_pylist() == values


def test_nan_is_a_number() -> None:
    column = pa.array(["nan", "NaN", "1"])

    assert narrowest(column, "int64") == "double"
    assert [math.isnan(value) for value in held(column, "double").to_pylist()] == [True, True, False]


def test_types_grow_only() -> None:
    assert narrowest(pa.array(["1"]), "double") == "double"
    assert narrowest(pa.array(["1"]), "string") == "string"


def test_the_first_value_beyond_is_found() -> None:
    assert first_beyond(pa.array(["1", "", "x", "y"]), "double") == (2, "x")


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_every_whole_number_comes_back(numbers: list[int]) -> None:
    assert held(pa.array(map(str, numbers), pa.string()), "int64").to_pylist() == numbers


@given(st.lists(st.floats(allow_nan=False)))
def test_every_number_comes_back(numbers: list[float]) -> None:
    assert held(pa.array(map(repr, numbers), pa.string()), "double").to_pylist() == numbers
