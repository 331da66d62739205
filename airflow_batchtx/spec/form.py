"""Members of a job as the fields of a form: one flat JSON schema each, as Airflow's trigger form reads them.

Whatever a field says is taken from the table of members. What has no section is open when the form is; each section
is folded until it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from airflow_batchtx.errors import InvalidJob, Problem, refuse
from airflow_batchtx.spec import limits, wire
from airflow_batchtx.spec.enums import Choice
from airflow_batchtx.spec.members import BY_NAME, Kind, Member
from airflow_batchtx.spec.validation import BROKEN

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

# What no job can do without has no section; the rest has that of the structure which holds it in the request.
_FIRST = frozenset({"model_name", "input", "output", "instance_type", "instance_count"})
_SECTIONS: Mapping[str, str] = {
    "TransformInput": "Input",
    "TransformOutput": "Output",
    "DataProcessing": "Filters and join",
    "TransformResources": "Instances",
    "DataCaptureConfig": "Data capture",
    "ExperimentConfig": "Experiment",
    "TransformJobName": "Name and tags",
    "Tags": "Name and tags",
}
_OTHERS = "Requests to the model"

_ACRONYMS: Mapping[str, str] = {"ami": "AMI", "id": "ID", "kms": "KMS", "mb": "MB", "s3": "S3"}
_UNSET = "not set"

REFERENCE = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_"
# Where the service is stricter than its model: what the checks say in words, a form has to say in a pattern.
_STRICTER: Mapping[str, str] = dict.fromkeys(("input_filter", "output_filter"), limits.FILTER_PATTERN)
# Structures that the API reference has under another name than the request; a test holds them to botocore.
SHAPES: Mapping[str, str] = {"S3DataSource": "TransformS3DataSource", "DataCaptureConfig": "BatchDataCaptureConfig"}


def fields(names: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give default and schema of each named member, in the order of the names, then of those that only have a default.

    A default of None leaves a field empty, and its value open. InvalidJob names those that are no members, and the
    defaults that SageMaker would refuse.
    """
    given = {name: _plain(value) for name, value in defaults.items()}
    wanted = dict.fromkeys((*names, *given))
    refuse(InvalidJob, "form", (problem for name in wanted for problem in _problems(name, given.get(name))))
    return {name: _field(BY_NAME[name], given.get(name, _example(BY_NAME[name]))) for name in wanted}


def template(name: str) -> str:
    """Give the template that a field's value is rendered by; what is left empty leaves its member out of the job."""
    member = BY_NAME[name]
    if _TYPES[member.kind] == "object":
        # The blank keeps a DAG that renders to native objects from reading JSON as Python.
        return f" {{{{ params.{name} | tojson }}}}"
    # Of some members None is a value that AWS knows.
    unset = " or ''" if member.kind is Kind.TEXT and not member.required else ""
    return f"{{{{ params.{name}{unset} }}}}"


def _problems(name: str, default: Any) -> Iterator[Problem]:
    if name not in BY_NAME:
        yield Problem("name", name, "is no member of a transform job", f"Known: {', '.join(BY_NAME)}.")
    elif default is not None:
        member = BY_NAME[name]
        value = wire.tag_list(default) if member.kind is Kind.TAGS and isinstance(default, Mapping) else default
        yield from (Problem(member.label, default, rule, member.remedy) for rule in BROKEN[member.kind](member, value))


def _example(member: Member) -> Any:
    """Give what stands in a field that no job can do without."""
    if not member.required:
        return None
    return member.example if member.values is None else member.example or member.values[0]


def _field(member: Member, default: Any) -> dict[str, Any]:
    kind = _TYPES[member.kind]
    optional = not member.required or default is None
    schema = {
        "title": _title(member.name),
        "section": None if member.name in _FIRST else _SECTIONS.get(member.path.partition(".")[0], _OTHERS),
        "description_md": _help(member, left_empty=member.required and optional),
        "type": ["null", kind] if optional else kind,
        **dict(zip(_BOUNDS.get(kind, ()), (member.minimum, member.maximum), strict=False)),
        **_RULES.get(member.kind, _none)(member, optional),
    }
    return {"default": default, **{key: value for key, value in schema.items() if value is not None}}


def _title(name: str) -> str:
    first, *others = (_ACRONYMS.get(word, word) for word in name.split("_"))
    return " ".join((first[:1].upper() + first[1:], *others))


def _help(member: Member, *, left_empty: bool) -> str:
    *folders, last = member.path.split(".")
    shape = SHAPES.get(folders[-1], folders[-1]) if folders else "CreateTransformJob"
    place = f"sagemaker-Type-{shape}-{last}" if folders else f"sagemaker-{shape}-request-{last}"
    chosen = " Left empty, the DAG chooses." if left_empty else ""
    said = (member.help or member.remedy).replace("<", "\\<")  # in Markdown it would begin a tag
    return f"{said}{chosen} AWS: [{last}]({REFERENCE}{shape}.html#{place})"


# ------------------------------------------------------------------------------------------ the rules of a kind


def _text(member: Member, optional: bool) -> dict[str, Any]:
    if member.values is None:
        proposed = [member.example, *member.examples] if member.example else None
        return {"examples": proposed, **_matching(_STRICTER.get(member.name, member.pattern))}
    if member.name == "instance_type":  # it may be newer than this package
        return {"examples": [*member.values], **_matching(member.pattern)}
    if not optional:
        return {"enum": [*member.values]}
    # The form calls every value without a name of its own by that of "None", which is one of AWS's.
    names = {"null": _UNSET, **{value: value for value in member.values}}
    return {"enum": [None, *member.values], "values_display": names}


def _environment(member: Member, _: bool) -> dict[str, Any]:
    return {
        "propertyNames": _matching(member.pattern),
        "additionalProperties": {"type": "string", "maxLength": limits.ENVIRONMENT_VALUE_LENGTH},
    }


def _tags(member: Member, _: bool) -> dict[str, Any]:
    key = _matching(f"(?!{limits.RESERVED_TAG}){member.pattern}")
    return {
        "propertyNames": {"minLength": 1, "maxLength": limits.TAG_KEY_LENGTH, **key},
        "additionalProperties": {"type": "string", "maxLength": limits.TAG_VALUE_LENGTH, **_matching(member.pattern)},
    }


def _none(_: Member, __: bool) -> dict[str, Any]:
    return {}


def _matching(pattern: str | None) -> dict[str, str]:
    return {} if pattern is None else {"pattern": f"^{pattern}$"}


_RULES: Mapping[Kind, Callable[[Member, bool], dict[str, Any]]] = {
    Kind.TEXT: _text,
    Kind.INPUT: _text,
    Kind.TEXTS: _environment,
    Kind.TAGS: _tags,
}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Choice) else value
