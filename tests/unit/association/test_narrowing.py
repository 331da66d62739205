from __future__ import annotations

import math
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.association.narrowing import first_beyond, held, narrowest
from airflow_batchtx.association.request import TYPES


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
        (["0x0FFFFFFFFFFFFFFF", "00"], "string", ["0x0FFFFFFFFFFFFFFF", "00"]),
        (["-0"], "double", [-0.0]),
        (["12", "-05"], "double", [12.0, -5.0]),
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


@pytest.mark.parametrize(
    ("values", "kind", "found", "read"),
    [
        (["1", "x"], pa.large_string(), "string", ["1", "x"]),
        ([True, None], pa.bool_(), "bool", [True, None]),
        ([b"\xff"], pa.binary(), "binary", [b"\xff"]),
    ],
)
def test_what_is_known_of_values_is_not_looked_for_in_their_text(
    values: list[Any], kind: pa.DataType, found: str, read: list[Any]
) -> None:
    column = pa.array(values, kind)

    assert held(column, "int64") is None
    assert narrowest(column, "int64") == found
    assert held(column, found).to_pylist() == read


@pytest.mark.parametrize(
    ("values", "at_least", "found", "read"),
    [
        (["1"], "bool", "string", ["1"]),
        ([True], "string", "string", ["true"]),
        ([True], "binary", "binary", [b"true"]),
        (["1"], "binary", "binary", [b"1"]),
        ([None], "bool", "bool", [None]),
    ],
)
def test_kinds_that_meet_in_one_column_are_text(values: list[Any], at_least: str, found: str, read: list[Any]) -> None:
    column = pa.array(values, None if values[0] is not None else pa.string())

    assert held(column, found).to_pylist() == read
    assert values == [None] or narrowest(column, at_least) == found


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["true", "FALSE", ""], "bool", [True, False, None]),
        (["1"], "bool", None),
        (["1.5", ""], "float32", [1.5, None]),
        (["300"], "uint8", None),
        (["2026-01-01", ""], "date32", [date(2026, 1, 1), None]),
        (["1.50", ""], "decimal128(10, 2)", [Decimal("1.50"), None]),
        (["1.505"], "decimal128(10, 2)", None),
        (["2026-01-01T12:00:00Z"], "timestamp[us, tz=UTC]", [datetime(2026, 1, 1, 12, tzinfo=timezone.utc)]),
        (['{"a":1}'], "json", ['{"a":1}']),
    ],
)
def test_a_given_type_reads_what_it_can(texts: list[str], kind: str, values: list[Any] | None) -> None:
    for column in (pa.array(texts), pa.array(texts, pa.large_string())):
        if kind in TYPES and column.type != pa.string():
            continue
        found = held(column, kind)
        assert found is None if values is None else found.to_pylist() == values


def test_the_first_value_beyond_is_found() -> None:
    assert first_beyond(pa.array(["1", "", "x", "y"]), "double") == (2, "x")


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_every_whole_number_comes_back(numbers: list[int]) -> None:
    assert held(pa.array(map(str, numbers), pa.string()), "int64").to_pylist() == numbers


@given(st.lists(st.floats(allow_nan=False)))
def test_every_number_comes_back(numbers: list[float]) -> None:
    assert held(pa.array(map(repr, numbers), pa.string()), "double").to_pylist() == numbers


@given(st.lists(st.from_regex(r"-?[0-9]{1,19}", fullmatch=True), min_size=1, max_size=6))
def test_whole_numbers_are_those_that_python_writes_so(texts: list[str]) -> None:
    is_written = all(str(int(text)) == text and -(2**63) <= int(text) < 2**63 for text in texts)

    assert (narrowest(pa.array(texts), "int64") == "int64") is is_written
