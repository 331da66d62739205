"""JSON values as Arrow columns, whose types tell how much is known of the values (as `narrowing` reads them)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from airflow_batchtx.records import jsontext

# Numbers as they were written, whose narrowest type is still to be found, or nulls only.
WRITTEN = pa.string()
# Text, whatever it looks like.
TEXT = pa.large_string()
_NULL = type(None)
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def column(values: Sequence[Any]) -> Any:
    """Make a column of the values that one member has in some records."""
    kinds = set(map(type, values)) - {_NULL}
    if not kinds:
        return pa.nulls(len(values), WRITTEN)
    if kinds == {bytes}:
        return pa.array(values, pa.binary()).cast(WRITTEN)
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {str}:
        return _texts(values)
    return _texts([value if value is None or isinstance(value, str) else _json(value) for value in values])


def documents(values: Iterable[Any]) -> Any:
    """Make a column of compact JSON: of every value what it is written as, but null for null."""
    return pa.array([None if value is None else _json(value) for value in values], TEXT)


def _texts(values: Sequence[str | None]) -> Any:
    try:
        return pa.array(values, TEXT)
    except UnicodeEncodeError:
        # Half of an escaped pair is no character.
        return pa.array([value and _HALF_PAIR.sub("\ufffd", value) for value in values], TEXT)


def _json(value: Any) -> str:
    return jsontext.text(value).decode()
