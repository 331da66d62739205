"""The narrowest type that holds every value of a column of predictions.

int64 for whole numbers as Python writes them, double for numbers, string for everything. 007 is a code, not a number.
An empty cell is a null among numbers. A whole number from 2^53 on among fractions makes its column text, since a double
would round it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.association.request import TYPES
from airflow_batchtx.storage.tables.csv_text import blanks_as_nulls

_WHOLE = r"^(0|-?[1-9][0-9]*)$"
_DIGITS = r"^\s*[-+]?[0-9]+\s*$"
_EXACT = 2.0**53


def held(column: Any, kind: str) -> Any:
    """Give a column of text in a type, None if it does not hold every value."""
    return _HOLD[kind](column)


def narrowest(column: Any, at_least: str) -> str:
    """Name the narrowest type, from `at_least` on, that holds every value."""
    wider = TYPES[TYPES.index(at_least) :]
    return next(kind for kind in wider if held(column, kind) is not None)


def first_beyond(column: Any, kind: str) -> tuple[int, str]:
    """Find the first value that a type does not hold, and its place from 0, in a column that it does not hold."""
    index = next(index for index in range(len(column)) if held(column.slice(index, 1), kind) is None)
    return index, column[index].as_py()


def _integers(column: Any) -> Any:
    filled = blanks_as_nulls(column)
    numbers = _cast(filled, pa.int64())
    if numbers is None or not pc.all(pc.match_substring_regex(filled, _WHOLE)).as_py():
        return numbers if filled.null_count == len(filled) else None
    return numbers


def _doubles(column: Any) -> Any:
    filled = blanks_as_nulls(column)
    numbers = _cast(filled, pa.float64())
    if numbers is None:
        numbers = _cast(pc.utf8_trim_whitespace(filled), pa.float64())
    return None if numbers is None or _are_no_numbers(filled, numbers) else numbers


def _are_no_numbers(texts: Any, numbers: Any) -> bool:
    """Find codes such as 007, and whole numbers that a double would round."""
    whole = texts.filter(pc.ascii_is_decimal(texts))
    if pc.any(pc.match_substring_regex(whole, "^0[0-9]")).as_py():
        return True
    if (largest := pc.max(pc.abs(numbers)).as_py()) is None or largest < _EXACT:
        return False
    large = pc.greater_equal(pc.abs(numbers), pa.scalar(_EXACT))
    return bool(pc.any(pc.match_substring_regex(texts.filter(large), _DIGITS)).as_py())


def _cast(column: Any, kind: pa.DataType) -> Any:
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return None


_HOLD: Mapping[str, Callable[[Any], Any]] = {"int64": _integers, "double": _doubles, "string": lambda column: column}
