"""Holds requests to the shapes of botocore's own service model, and words what is wrong as AWS does."""

from __future__ import annotations

import functools
import itertools
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.loaders
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

from airflow_batchtx.errors import RequestRefused

Request = dict[str, Any]

# What each type of the model is in JSON; a bool is no number, though Python says so.
_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}
_JSON_NAMES: Mapping[type, str] = {
    str: "STRING_VALUE",
    bool: "BOOLEAN_VALUE",
    int: "NUMBER_VALUE",
    float: "DECIMAL_VALUE",
    list: "Start of list",
    dict: "Start of structure or map",
}


def service_model(service: str = "sagemaker") -> ServiceModel:
    """Load the service model that the installed botocore ships (a tenth of a second or more)."""
    return ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


class Shapes:
    """The input shapes of a service: `read` gives a request that keeps all of their constraints, or refuses it."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model

    def read(self, operation: str, body: object) -> Request:
        """Check a decoded JSON body; members that are null count as absent, as they do for AWS.

        A wrong JSON type or an unknown member is a SerializationException (the first one found); broken constraints
        are one ValidationException that lists them all.
        """
        if (shape := self._model.operation_model(operation).input_shape) is None:
            return {}
        request = _typed(body, shape)
        if found := tuple(_violations(request, shape, "")):
            count = f"{len(found)} validation error{'s' * (len(found) > 1)} detected: "
            raise RequestRefused("ValidationException", count + "; ".join(found))
        return dict(request)


# ------------------------------------------------------------------------------------------------- JSON types


def _typed(value: Any, shape: Shape) -> Any:
    if not isinstance(value, _JSON_TYPES[shape.type_name]) or (
        isinstance(value, bool) and shape.type_name != "boolean"
    ):
        raise RequestRefused("SerializationException", _misfit(value, shape))
    return _within(value, shape)


def _within(value: Any, shape: Shape) -> Any:
    match shape:
        case StructureShape():
            return _members(value, shape)
        case ListShape():
            return [_typed(item, shape.member) for item in value]
        case MapShape():
            return {key: _typed(item, shape.value) for key, item in value.items() if item is not None}
        case _:
            return value


def _members(value: Mapping[str, Any], shape: StructureShape) -> Request:
    if strangers := sorted(value.keys() - shape.members.keys()):
        raise RequestRefused("SerializationException", f"Unknown members of {shape.name}: {', '.join(strangers)}")
    return {name: _typed(value[name], member) for name, member in shape.members.items() if value.get(name) is not None}


def _misfit(value: Any, shape: Shape) -> str:
    found = _JSON_NAMES.get(type(value), "NULL_VALUE")
    if found.startswith("Start"):
        return f"{found} found where not expected."
    return f"{found} cannot be converted to {shape.type_name.capitalize()}"


# ------------------------------------------------------------------------------------------------ constraints


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Say everything that is wrong with a value, from the outside in, in the order of the model's members."""
    for rule in _broken(value, shape):
        yield _sentence(_shown(value), path, rule)
    match shape:
        case StructureShape():
            yield from _of_members(value, shape, path)
        case ListShape(member=StructureShape() as member):
            for index, item in enumerate(value, start=1):
                yield from _violations(item, member, f"{path}.{index}.member")
        case ListShape():
            yield from _of_all(value, shape.member, "Member", value, path)
        case MapShape():
            yield from _of_all(value, shape.key, "Map keys", value, path)
            yield from _of_all(value.values(), shape.value, "Map value", value, path)


def _of_members(value: Request, shape: StructureShape, path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        below = f"{path}.{name[:1].lower()}{name[1:]}".lstrip(".")
        if name in value:
            yield from _violations(value[name], member, below)
        elif name in shape.required_members:
            yield f"Value null at '{below}' failed to satisfy constraint: Member must not be null"


def _of_all(items: Any, shape: Shape, who: str, whole: Any, path: str) -> Iterator[str]:
    if any(any(_broken(item, shape)) for item in items):
        yield _sentence(_shown(whole), path, f"{who} must satisfy constraint: [{', '.join(_constraints(shape))}]")


def _broken(value: Any, shape: Shape) -> Iterator[str]:
    """Yield the constraints of a shape (not of what is in it) that a value breaks."""
    measure, size = ("length", len(value)) if isinstance(value, (str, list, dict)) else ("value", value)
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and size > most:
        yield _at_most(measure, most)
    if least is not None and size < least:
        yield _at_least(measure, least)
    if isinstance(shape, StringShape):
        if shape.enum and value not in shape.enum:
            yield _one_of(shape.enum)
        if (pattern := shape.metadata.get("pattern")) and not compiled(pattern).fullmatch(value):
            yield _matching(pattern)


def _constraints(shape: Shape) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None:
        yield _at_most("length", most)
    if least is not None:
        yield _at_least("length", least)
    if isinstance(shape, StringShape) and shape.enum:
        yield _one_of(shape.enum)
    if pattern := shape.metadata.get("pattern"):
        yield _matching(pattern)


def _sentence(value: str, path: str, rule: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {rule}"


def _at_most(measure: str, most: int) -> str:
    return f"Member must have {measure} less than or equal to {most}"


def _at_least(measure: str, least: int) -> str:
    return f"Member must have {measure} greater than or equal to {least}"


def _one_of(values: list[str]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def _matching(pattern: str) -> str:
    # The service prints its patterns with an anchor that botocore's model has lost.
    return f"Member must satisfy regular expression pattern: ^{pattern.removeprefix('^')}"


# Java's classes in the words of Python's re: \w holds the letters, the numbers and the underscore.
_JAVA_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}


# Categories that Python's re has no words for, and how the service model asks for them.
_CATEGORIES = re.compile(r"\\p\{([MPS])\}")
# An end that is asked for several times, as some patterns do by mistake; Java finds it as often as they like.
_ENDS = re.compile(r"\$\{\d+,\d+\}")


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the service model."""
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    pattern = _CATEGORIES.sub(lambda found: _ranges()[found[1]], pattern)
    return re.compile(_ENDS.sub("$", pattern))


@functools.cache
def _ranges() -> Mapping[str, str]:
    """Write the characters of each category (by its first letter) as ranges of a class; a look at all takes a while."""
    found: dict[str, list[str]] = {}
    characters = map(chr, range(sys.maxunicode + 1))
    for category, group in itertools.groupby(characters, key=lambda character: unicodedata.category(character)[0]):
        members = list(group)
        found.setdefault(category, []).append(f"{re.escape(members[0])}-{re.escape(members[-1])}")
    return {category: "".join(ranges) for category, ranges in found.items()}


def _shown(value: Any) -> str:
    """Write a value as Java's toString does."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_shown, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)
