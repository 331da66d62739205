"""The narrowest type that holds every value of a column of predictions.

int64 for whole numbers as Python writes them (007 is none), double for numbers, string for everything. An empty cell is
a null among numbers. A whole number beyond 2^53 among fractions makes its column text: no double holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.association.request import TYPES

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
    filled = _without_blanks(column)
    numbers = _cast(filled, pa.int64())
    if numbers is None or not pc.all(pc.match_substring_regex(filled, _WHOLE)).as_py():
        return numbers if filled.null_count == len(filled) else None
    return numbers


def _doubles(column: Any) -> Any:
    filled = _without_blanks(column)
    numbers = _cast(filled, pa.float64())
    if numbers is None:
        numbers = _cast(pc.utf8_trim_whitespace(filled), pa.float64())
    if numbers is None or _holds_a_long_whole_number(filled, numbers):
        return None
    return numbers


def _holds_a_long_whole_number(texts: Any, numbers: Any) -> bool:
    large = pc.greater(pc.abs(numbers), pa.scalar(_EXACT))
    if not pc.any(large).as_py():
        return False
    return bool(pc.any(pc.match_substring_regex(texts.filter(large), _DIGITS)).as_py())


def _without_blanks(column: Any) -> Any:
    if not len(column) or pc.min(pc.binary_length(column)).as_py():
        return column
    return pc.if_else(pc.equal(column, pa.scalar("")), None, column)


def _cast(column: Any, kind: pa.DataType) -> Any:
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return None


_HOLD: Mapping[str, Callable[[Any], Any]] = {"int64": _integers, "double": _doubles, "string": lambda column: column}
