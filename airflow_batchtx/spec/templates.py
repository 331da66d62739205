"""Values that are not known yet: Jinja templates, and references to another task's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable


@runtime_checkable
class Reference(Protocol):
    """What Airflow resolves before a task runs, such as `prepare.output` (an XComArg)."""

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Give the value."""


Text: TypeAlias = "str | Reference"
Integer: TypeAlias = "int | str | Reference"
Flag: TypeAlias = "bool | str | Reference"

_MARKS = ("{{", "{%", "{#")


def is_open(value: object) -> bool:
    """Tell whether a value, or anything in it, is only known once Airflow has rendered it."""
    match value:
        case str():
            return any(mark in value for mark in _MARKS)
        case Mapping():
            return any(is_open(part) for pair in value.items() for part in pair)
        case list() | tuple():
            return any(is_open(part) for part in value)
        case _:
            return isinstance(value, Reference)
