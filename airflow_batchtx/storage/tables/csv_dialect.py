"""How the cells of a CSV object are kept apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are kept apart: `delimiter` and `quote` are one ASCII character each, no `quote` for cells without."""

    delimiter: str = ","
    quote: str | None = '"'


COMMAS = Dialect()
