"""The narrowest type that holds every value of a column of predictions.

How much is known of the values when they come shows in the column's own type. `WRITTEN` values, such as cells of CSV,
are numbers if they look so: int64 for whole numbers as Python writes them, double for numbers, string for everything.
007 is a code, not a number. An empty cell is a null among numbers. A whole number from 2^53 on among fractions makes
its column text, since a double would round it. `READ` values are doubles that were found to be such where they were
read. `TEXT`, such as a string of JSON, stays text whatever it looks like; truth values are bool, bytes binary. Where
kinds meet in one column it is string, or binary with bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.association.request import JSON, TYPES
from airflow_batchtx.storage.tables.arrow_types import type_named
from airflow_batchtx.storage.tables.csv_text import blanks_as_nulls
from airflow_batchtx.storage.tables.integers import integers
from airflow_batchtx.storage.tables.texts import marks_in

_CODE = r"^0[0-9]+$"
_DIGITS = r"^\s*[-+]?[0-9]+\s*$"
_EXACT = 2.0**53


WRITTEN, READ, TEXT, TRUTH, BYTES = pa.string(), pa.float64(), pa.large_string(), pa.bool_(), pa.binary()
# What a column may turn out to be, from the narrowest on.
_ORDER: Mapping[pa.DataType, tuple[str, ...]] = {
    WRITTEN: ("int64", "double", "string", "binary"),
    READ: ("double",),
    TEXT: ("string", "binary"),
    TRUTH: ("bool", "string", "binary"),
    BYTES: ("binary",),
}


def arrow_type(kind: str) -> pa.DataType:
    """Give the Arrow type of a kind of column; a ValueError says that there is no such type."""
    if (found := pa.string() if kind == JSON else type_named(kind)) is None:
        raise ValueError(f"{kind} is no type of Arrow")
    return found


def held(column: Any, kind: str) -> Any:
    """Give a column in a type, None if it does not hold every value."""
    if kind not in TYPES:
        return _given(column, kind)
    if column.type == WRITTEN:
        return _HOLD[kind](column)
    if kind not in _ORDER[column.type] or column.type == arrow_type(kind):
        return column if kind in _ORDER[column.type] else None
    return column.cast(WRITTEN).cast(arrow_type(kind))


def taken(column: Any, kind: str) -> Any:
    """Give a column in a type that was asked for, None if some value is not of it. Texts are read as that type."""
    return held(column.cast(WRITTEN) if column.type == TEXT else column, kind)


def narrowest(column: Any, at_least: str) -> str:
    """Name the narrowest type, from `at_least` on, that holds every value."""
    wider = TYPES[TYPES.index(at_least) :]
    return next(kind for kind in _ORDER[column.type] if kind in wider and held(column, kind) is not None)


def first_beyond(column: Any, kind: str) -> tuple[int, Any]:
    """Find the first value that a type does not hold, and its place from 0, in a column that it does not hold."""
    return next(_beyond(column, kind, held, 0))


def misfits(column: Any, kind: str) -> Iterator[tuple[int, Any]]:
    """Find every value that is not of a type that was asked for, and its place from 0."""
    return _beyond(column, kind, taken, 0)


def _beyond(column: Any, kind: str, hold: Callable[[Any, str], Any], start: int) -> Iterator[tuple[int, Any]]:
    """Search by halves."""
    if hold(column, kind) is not None:
        return
    if len(column) == 1:
        yield start, column[0].as_py()
        return
    middle = len(column) // 2
    yield from _beyond(column.slice(0, middle), kind, hold, start)
    yield from _beyond(column.slice(middle), kind, hold, start + middle)


def _integers(column: Any) -> Any:
    filled = blanks_as_nulls(column)
    numbers = _cast(filled, pa.int64())
    return None if numbers is None or not _are_as_written(numbers, filled) else numbers


def _are_as_written(numbers: Any, texts: Any) -> bool:
    """Tell whether all whole numbers stand there as Python writes them.

    What else Arrow takes for one is longer than that, all but hexadecimal: 007, -0. So it is enough to add up digits.
    """
    if marks_in(texts, b"xX"):
        return False
    bounds: Any = pc.min_max(numbers).as_py()
    least, most = (bounds["min"] or 0), (bounds["max"] or 0)
    rows = len(numbers) - numbers.null_count
    above = [_count(pc.greater_equal(numbers, power)) for value, power in _POWERS if value <= most]
    below = [_count(pc.less_equal(numbers, power)) for value, power in _NEGATIVE_POWERS if value >= least]
    signs = _count(pc.less(numbers, _ZERO)) if least < 0 else 0
    written: int = pc.sum(pc.binary_length(texts)).as_py() or 0
    return bool(rows + sum(above) + sum(below) + signs == written)


def _count(truths: Any) -> int:
    return int(pc.sum(truths).as_py() or 0)


_TENS = [10**digits for digits in range(1, 19)]
_POWERS = tuple(zip(_TENS, integers(_TENS), strict=True))
_NEGATIVE_POWERS = tuple((-ten, power) for ten, power in zip(_TENS, integers([-ten for ten in _TENS]), strict=True))
_ZERO = integers([0])[0]
_LARGE = integers([int(_EXACT)])[0].cast(pa.float64())


def _doubles(column: Any) -> Any:
    filled = blanks_as_nulls(column)
    numbers = _cast(filled, pa.float64())
    if numbers is None:
        numbers = _cast(pc.utf8_trim_whitespace(filled), pa.float64())
    return None if numbers is None or _are_no_numbers(filled, numbers) else numbers


def _are_no_numbers(texts: Any, numbers: Any) -> bool:
    """Find codes such as 007, and whole numbers that a double would round."""
    # Few fractions are whole, and only what is can be a code.
    whole = pc.equal(pc.floor(numbers), numbers)
    if pc.any(whole).as_py() and pc.any(pc.match_substring_regex(texts.filter(whole), _CODE)).as_py():
        return True
    bounds: Any = pc.min_max(numbers).as_py()
    if bounds["min"] is None or max(-bounds["min"], bounds["max"]) < _EXACT:
        return False
    large = pc.greater_equal(pc.abs(numbers), _LARGE)
    return bool(pc.any(pc.match_substring_regex(texts.filter(large), _DIGITS)).as_py())


def _cast(column: Any, kind: pa.DataType) -> Any:
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _truths(column: Any) -> Any:
    """Read truth values, which a column of text has only where it is said to."""
    filled = blanks_as_nulls(column)
    words = pc.utf8_lower(filled)
    is_other = pc.all(pc.match_substring_regex(words, "^(true|false)$")).as_py() is False
    return None if is_other else _cast(words, pa.bool_())


def _given(column: Any, kind: str) -> Any:
    """Read what a type that is only given makes of a text."""
    return _cast(column if kind == JSON else blanks_as_nulls(column), arrow_type(kind))


_HOLD: Mapping[str, Callable[[Any], Any]] = {
    "int64": _integers,
    "double": _doubles,
    "bool": _truths,
    "string": lambda column: column,
    "binary": lambda column: column.cast(pa.binary()),
}
