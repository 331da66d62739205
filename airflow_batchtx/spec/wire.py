"""AWS's nested request <-> our flat members, and rendered texts -> the types that AWS wants."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_batchtx.spec.members import BY_NAME, MEMBERS, Kind, Member
from airflow_batchtx.spec.templates import is_open

Request = dict[str, Any]


def nested(values: Mapping[str, object]) -> Request:
    """Build a CreateTransformJob request from members by our names; None leaves a member out."""
    request: Request = {}
    for member in MEMBERS:
        if (value := values.get(member.name)) is not None:
            put(request, member.path, value)
    return request


def put(request: Request, path: str, value: object) -> None:
    """Set the member at a dotted path, making the structures on the way."""
    *folders, last = path.split(".")
    for folder in folders:
        request = request.setdefault(folder, {})
    request[last] = value


def flat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Give the members of a request by our names; structures on the way that are none are passed over."""
    found = {member.name: at(request, member.path) for member in MEMBERS}
    return {name: value for name, value in found.items() if value is not None}


def at(request: Mapping[str, Any], path: str) -> Any:
    """Give the value at a dotted path, or None."""
    here: Any = request
    for step in path.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(step)
    return here


def strangers(request: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths in a request that CreateTransformJob is not known to have."""
    for key, value in request.items():
        path = f"{prefix}{key}"
        if path in _PATHS:
            continue
        if path in _FOLDERS and isinstance(value, Mapping):
            yield from strangers(value, f"{path}.")
        else:
            yield path


_PATHS = frozenset(member.path for member in MEMBERS)
_FOLDERS = frozenset(
    ".".join(steps[:depth])
    for member in MEMBERS
    for steps in [member.path.split(".")]
    for depth in range(1, len(steps))
)


def coerced(request: Mapping[str, Any]) -> Request:
    """Give a copy in which rendered texts have become the numbers, flags and lists of inputs that they spell.

    Jinja renders everything to text. A text that spells nothing of the kind is left, for the checks to name.
    """
    copy = copied(request)
    for name, value in flat(copy).items():
        member = BY_NAME[name]
        if isinstance(value, str) and (spelt := _SPELT.get(member.kind)):
            _replace(copy, member, spelt(value))
        elif member.kind is Kind.INPUT and isinstance(value, Sequence):
            # What the tasks of a mapped one returned comes from Airflow as a sequence of its own.
            _replace(copy, member, list(value))
    return copy


def _replace(request: Request, member: Member, value: object) -> None:
    *folders, last = member.path.split(".")
    for folder in folders:
        request = request[folder]
    if value is None:
        del request[last]
    else:
        request[last] = value


def copied(request: Mapping[str, Any]) -> Request:
    """Copy a request's structures; the values in them are shared."""
    return {key: copied(part) if isinstance(part, Mapping) else part for key, part in request.items()}


def _whole(text: str) -> int | str | None:
    text = text.strip()
    if text in ("", "None"):  # what an unset parameter renders to
        return None
    return int(text) if text.removeprefix("-").isdecimal() else text


def _flag(text: str) -> bool | str | None:
    return {"true": True, "false": False, "": None, "none": None}.get(text.strip().lower(), text)


def _input(text: str) -> Any:
    """Read a list of inputs, or what a prepare task returned: no URI begins as they do."""
    if not text.lstrip().startswith(("[", "{")) or is_open(text):
        return text
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError):  # TypeError: a set of what cannot be in one
        return text


_SPELT = {Kind.INTEGER: _whole, Kind.FLAG: _flag, Kind.INPUT: _input}


def tag_list(tags: Mapping[str, object]) -> list[dict[str, object]]:
    """Write tags as AWS does: a list of keys and values."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
