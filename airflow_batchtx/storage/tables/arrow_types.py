"""Arrow types by the names that Arrow itself prints them under."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

_DECIMAL = re.compile(r"(decimal(?:32|64|128|256))\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\)")
_TIMESTAMP = re.compile(r"timestamp\[\s*(s|ms|us|ns)\s*,\s*tz=([^\]\s]+)\s*\]")


def type_named(text: str) -> pa.DataType | None:
    """Give the type that a name means, None for another text."""
    for pattern, make in _PARAMETRISED.items():
        if found := pattern.fullmatch(text.strip()):
            return _made(make, *found.groups())
    return _made(pa.type_for_alias, text.strip())


def zone_of(kind: Any) -> str | None:
    """Give the zone of a type of times, an empty text if it has none; None for other types."""
    return (kind.tz or "") if pa.types.is_timestamp(kind) else None


def _made(make: Callable[..., Any], *arguments: str | None) -> pa.DataType | None:
    try:
        kind = make(*arguments)
    except (ValueError, AttributeError):
        # No such name, a precision that the type has not, or a width that this version of Arrow has not.
        return None
    return cast("pa.DataType", kind)


def _decimal(name: str, precision: str, scale: str | None) -> Any:
    make: Any = getattr(pa, name)
    return make(int(precision), int(scale or 0))


def _timestamp(unit: Any, zone: str) -> Any:
    kind: Any = pa.timestamp(unit, zone)
    # A ValueError says that there is no such zone, which the type alone does not find.
    pc.local_timestamp(pa.nulls(1, kind))
    return kind


_PARAMETRISED: Mapping[re.Pattern[str], Callable[..., Any]] = {_DECIMAL: _decimal, _TIMESTAMP: _timestamp}
