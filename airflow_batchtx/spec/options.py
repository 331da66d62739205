"""The options of a data task, read from what a DAG says: each by its own rule, everything wrong at once."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_batchtx.errors import Problem
from airflow_batchtx.spec.templates import is_open
from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True)
class Option:
    """How one option is read; `read` raises a ValueError or TypeError that says the rule which a value breaks."""

    read: Callable[[Any], Any]
    remedy: str


def read_options(
    options: Mapping[str, Option], values: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Read every option whose value is known by now, and collect what is wrong with the others that are."""
    known: dict[str, Any] = {}
    problems = []
    for name, option in options.items():
        value = values.get(name)
        if is_open(value):
            continue
        try:
            known[name] = option.read(value)
        except (ValueError, TypeError) as error:
            problems.append(Problem(name, value, str(error), option.remedy))
    return known, tuple(problems)


# ------------------------------------------------------------------------------------------- readers of a value


def uri(value: Any) -> S3Uri:
    """Read one S3 URI."""
    if not isinstance(value, str):
        raise TypeError("must be an S3 URI: s3://bucket/key")
    return S3Uri.parse(value)


def folder(value: Any) -> S3Uri:
    """Read an S3 prefix that objects are written below; the slash at its end may be left out."""
    return uri(value).as_folder()


def uris(value: Any) -> tuple[S3Uri, ...]:
    """Read one S3 URI, or a list of them."""
    found = tuple(uri(part) for part in _listed(value, lambda text: [text]))
    if not found:
        raise ValueError("must name at least one prefix or object")
    return found


def names(value: Any) -> tuple[str, ...]:
    """Read column names: a list, or a text with commas between, which is what a form's field renders to."""
    found = tuple(_listed(value, lambda text: [part.strip() for part in text.split(",")]))
    if not all(isinstance(name, str) and name for name in found):
        raise ValueError("must be column names")
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise ValueError(f"names {', '.join(twice)} twice")
    return found


def whole(least: int) -> Callable[[Any], int]:
    """Make a reader of whole numbers that are at least `least`; a rendered text may spell one."""

    def read(value: Any) -> int:
        text = value.strip() if isinstance(value, str) else value
        number = int(text) if isinstance(text, str) and text.isdecimal() else text
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ValueError(f"must be a whole number, at least {least}")
        return number

    return read


def positive(value: Any) -> float:
    """Read a number above 0; a rendered text may spell one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not (0 < number < math.inf):
        raise ValueError("must be a number above 0")
    return number


def duration(value: Any) -> float:
    """Read a time span above 0 as seconds: a timedelta, or a number of seconds."""
    return positive(value.total_seconds() if isinstance(value, timedelta) else value)


def flag(value: Any) -> bool:
    """Read a truth value; a rendered text may spell one."""
    spelt = {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value
    if not isinstance(spelt, bool):
        raise TypeError("must be true or false")
    return spelt


def matching(pattern: str, what: str) -> Callable[[Any], tuple[str, ...]]:
    """Make a reader of a list of names that match a pattern."""

    def read(value: Any) -> tuple[str, ...]:
        found = tuple(_listed(value, lambda text: [part.strip() for part in text.split(",") if part.strip()]))
        if wrong := [name for name in found if not isinstance(name, str) or not re.fullmatch(pattern, name)]:
            raise ValueError(f"must be {what}; {wrong[0]!r} is none")
        return found

    return read


def one_of(choices: Collection[str]) -> Callable[[Any], str]:
    """Make a reader of a closed list of texts."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return read


def text(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise TypeError("must be a text")
    return value


def texts(value: Any) -> dict[str, str]:
    """Read a mapping of texts to texts."""
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        raise ValueError("must be a mapping of texts")
    return dict(value)


def optional(read: Callable[[Any], Any], default: Any = None) -> Callable[[Any], Any]:
    """Let an option be left out, and be `default` then; so does what an unset parameter renders to."""
    return lambda value: default if value in (None, "", "None") else read(value)


def _listed(value: Any, parted: Callable[[str], list[str]]) -> list[Any]:
    if isinstance(value, str):
        value = _literal(value) if value.lstrip().startswith("[") else parted(value)
    if not isinstance(value, list | tuple):
        raise TypeError("must be a list, or one text")
    return list(value)


def _literal(text: str) -> Any:
    """Read a list that was rendered to text."""
    try:
        return ast.literal_eval(text.strip())
    except SyntaxError:
        raise ValueError("is a list that does not close") from None
