"""AWS's nested request <-> our flat members, and rendered texts -> the types that AWS wants."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """Give a copy in which rendered texts have become the numbers, flags, lists and mappings that they spell.

    Jinja renders everything to text, and a parameter that is not set to one of `UNSET`: then the member is left out. A
    text that spells nothing of its kind is left, for the checks to name.
    """
    copy = copied(request)
    for name, value in flat(copy).items():
        member = BY_NAME[name]
        if isinstance(value, str):
            _replace(copy, member, _SPELT[member.kind](member, value))
        elif member.kind is Kind.INPUT and isinstance(value, Sequence):
            # What the tasks of a mapped one returned comes from Airflow as a sequence of its own.
            _replace(copy, member, list(value))
        elif member.kind is Kind.TAGS and isinstance(value, Mapping):
            # A DAG that renders to native objects has made a mapping of it already.
            _replace(copy, member, tag_list(value))
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


UNSET = ("", "None")
"""What a template renders a parameter to that has no value."""


def _text(member: Member, text: str) -> str | None:
    # "None" is a value of some members, and a member that a job must have is not left out for what it is called.
    unset = text in UNSET and text not in (member.values or ())
    return None if unset and not member.required else text


def _whole(_: Member, text: str) -> int | str | None:
    text = text.strip()
    if text in UNSET:
        return None
    return int(text) if text.removeprefix("-").isdecimal() else text


def _flag(_: Member, text: str) -> bool | str | None:
    return {"true": True, "false": False, "": None, "none": None}.get(text.strip().lower(), text)


def _input(_: Member, text: str) -> Any:
    """Read a list of inputs, or what a prepare task returned: no URI begins as they do."""
    if not text.lstrip().startswith(("[", "{")) or is_open(text):
        return text
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError):  # TypeError: a set of what cannot be in one
        return text


def _texts(_: Member, text: str) -> Any:
    """Read a mapping in JSON, such as `{{ params.environment | tojson }}` is rendered to."""
    if text in UNSET:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _tags(member: Member, text: str) -> Any:
    found = _texts(member, text)
    return tag_list(found) if isinstance(found, Mapping) else found


_SPELT: Mapping[Kind, Callable[[Member, str], Any]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _whole,
    Kind.FLAG: _flag,
    Kind.INPUT: _input,
    Kind.TEXTS: _texts,
    Kind.TAGS: _tags,
}


def tag_list(tags: Mapping[str, object]) -> list[dict[str, object]]:
    """Write tags as AWS does: a list of keys and values."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
