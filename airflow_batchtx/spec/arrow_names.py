"""The names of Arrow's types, as a DAG gives them: told from other texts without Arrow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_batchtx.spec import options

KNOWN = (
    "int8 to int64, uint8 to uint64, float, double, string, bool, date32, date64, time32[s], time64[us], "
    "timestamp[us], timestamp[us, tz=UTC], decimal128(10, 2) and such"
)
_NAME = re.compile(
    r"null|bool(ean)?|u?int(8|16|32|64)|[iu][1248]|float(16|32|64)?|halffloat|double|f[248]"
    r"|(large_)?(string|str|utf8|binary)|(string|binary)_view|date32(\[day\])?|date64(\[ms\])?"
    r"|time32\[m?s\]|time64\[[un]s\]|duration\[[mun]?s\]|month_day_nano_interval"
    r"|timestamp\[\s*[mun]?s\s*(,\s*tz=[^\]\s]+\s*)?\]|decimal(32|64|128|256)\(\s*\d+\s*(,\s*-?\d+\s*)?\)"
)


def is_name(text: str) -> bool:
    """Tell the name of a type. That there is such a time zone, and such a precision, only Arrow knows."""
    return _NAME.fullmatch(text.strip()) is not None


def types(value: Any) -> Mapping[str, str]:
    """Read types by column; a ValueError names what is none."""
    found = options.texts(value)
    if strange := [text for text in found.values() if not is_name(text)]:
        raise ValueError(f"has {', '.join(map(repr, strange))}, which is not among the types of columns: {KNOWN}")
    return found
