"""How many rows may be set aside before that is a failure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_RULE = 'must be a number of rows, or a part of them such as 0.001 or "0.1%"'


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many rows, or such a part of all of them, exactly; none by default."""

    rows: int = 0
    part: Fraction = Fraction(0)

    def __bool__(self) -> bool:
        return bool(self.rows or self.part)

    def __str__(self) -> str:
        return f"{float(self.part):.12g} of all" if self.part else str(self.rows)

    def allows(self, rows: int, total: int) -> bool:
        """Tell whether so many rows of so many may be set aside."""
        return rows <= self.rows or rows <= self.part * total


def allowance(value: Any) -> Allowance:
    """Read a whole number of rows, a fraction below 1, or a percentage as text; a rendered text may spell any of them.

    1 is one row, 1.0 and "100%" are all of them.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(_RULE)
    text = str(value).strip()
    try:
        number = Fraction(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except (ValueError, ZeroDivisionError):
        raise ValueError(_RULE) from None
    if text.isdecimal():
        return Allowance(rows=int(text))
    if "/" in text or not 0 <= number <= 1:
        raise ValueError(_RULE)
    return Allowance(part=number)
