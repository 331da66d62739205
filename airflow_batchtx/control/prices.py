"""Where prices come from: the table of this package, and what a user puts over it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from airflow_batchtx.errors import InvalidInput, Problem
from airflow_batchtx.spec.prices import PriceTable


@cache
def shipped() -> PriceTable:
    """Give the prices that this package knows."""
    return PriceTable.read(files("airflow_batchtx.spec").joinpath("prices.json").read_bytes())


def price_table(given: str | Mapping[str, Any] | None = None) -> PriceTable:
    """Give the prices that count: a user's over those of this package, or without them where the user's say so.

    `given` is a table of the form of `spec/prices.json`, as it is, as JSON, or as the path of a file; None or an empty
    text for none. InvalidInput says what is wrong with it.
    """
    if not given:
        return shipped()
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        given = _file(given)
    return PriceTable.read(given).over(shipped())


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(
            "prices", path, f"cannot be read: {error}", "Give the path of a JSON file, or the JSON itself."
        )
        raise InvalidInput("price table", (problem,)) from error
