"""Members of a job as the fields of a form: one flat JSON schema each, as Airflow's trigger form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_batchtx.errors import InvalidJob, Problem, refuse
from airflow_batchtx.spec.members import BY_NAME, Kind, Member

_TYPES: Mapping[Kind, str] = {
    Kind.TEXT: "string",
    Kind.INPUT: "string",
    Kind.INTEGER: "integer",
    Kind.FLAG: "boolean",
    Kind.TEXTS: "object",
    Kind.TAGS: "object",
}
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "object": ("minProperties", "maxProperties"),
}


def fields(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Give each named member's default and schema, in the order of the names; InvalidJob names those that are none."""
    refuse(
        InvalidJob,
        "form",
        (
            Problem("name", name, "is no member of a transform job", f"Known: {', '.join(BY_NAME)}.")
            for name in names
            if name not in BY_NAME
        ),
    )
    return {name: _field(BY_NAME[name]) for name in names}


def _field(member: Member) -> dict[str, Any]:
    kind = _TYPES[member.kind]
    schema: dict[str, Any] = {
        "default": member.example if member.required else None,
        "title": member.name.replace("_", " ").capitalize(),
        "description": member.remedy,
        "type": kind if member.required else ["null", kind],
    }
    low, high = _BOUNDS.get(kind, ("", ""))
    schema |= {
        key: bound for key, bound in ((low, member.minimum), (high, member.maximum)) if key and bound is not None
    }
    if member.values is not None:
        # An instance type may be newer than this package, so the list only proposes.
        listed = "examples" if member.name == "instance_type" else "enum"
        schema[listed] = [*member.values] if member.required or listed == "examples" else [None, *member.values]
    if member.required and member.values is not None and member.example is None:
        schema["default"] = member.values[0]
    if member.pattern is not None and kind == "string":
        schema["pattern"] = f"^{member.pattern}$"
    return schema
