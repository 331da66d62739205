"""The part of JSONPath that Batch Transform's filters understand.

Sources: developer guide, batch-transform-data-processing, table of operators; boto/boto3#3136 (refused at create);
aws/sagemaker-python-sdk#1112 (refused at run time). The end of a slice is exclusive, as in the library that the guide
cites.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_batchtx.errors import InvalidJsonPath
from airflow_batchtx.spec.limits import JSON_PATH_OPERATORS

ROOT = "$"


def check(path: str, media_type: str) -> None:
    """Raise InvalidJsonPath for a character that CreateTransformJob refuses in a filter.

    The detail is AWS's text from its second sentence on; `Invalid InputFilter: "..."` or `OutputFilter` goes before it.
    """
    strange = (char for char in path if not (char.isascii() and char.isalnum()) and char not in JSON_PATH_OPERATORS)
    if (first := next(strange, None)) is not None:
        listed = ", ".join(f"'{operator}'" for operator in JSON_PATH_OPERATORS)
        operators = f'Supported operators for "{media_type}" are [{listed}].'
        raise InvalidJsonPath(f'Unexpected "{first}" in JsonPath. {operators}', path)


class Step(Protocol):
    """One step down into a value. `many`: it gives a list, and what follows goes into each of its elements."""

    @property
    def many(self) -> bool:
        """Tell whether the step gives several values."""
        ...

    def taken(self, value: Any) -> Any:
        """Give what the step finds; a LookupError says why it finds nothing."""
        ...


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A filter that was read. Values are JSON ones; a row of CSV is a list."""

    text: str
    steps: tuple[Step, ...] = ()

    @property
    def is_root(self) -> bool:
        """Tell whether the filter keeps everything."""
        return not self.steps

    def taken(self, value: Any) -> Any:
        """Give the part of `value` that the filter names; InvalidJsonPath where there is none."""
        many = False
        try:
            for step in self.steps:
                value = _from_each(value, step) if many else step.taken(value)
                many = many or step.many
        except LookupError as error:
            raise refused(self.text, str(error.args[0])) from None
        return value


def _from_each(values: list[Any], step: Step) -> list[Any]:
    found = [step.taken(value) for value in values]
    return [value for part in found for value in part] if step.many else found


def refused(path: str, reason: str) -> InvalidJsonPath:
    """Say why a filter does not work, as the data log does."""
    return InvalidJsonPath(f"Invalid JsonPath: {path}: {reason}", path)


# ------------------------------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Name:
    """`.id` and `['id']`: the value under a name."""

    name: str
    many: bool = False

    def taken(self, value: Any) -> Any:
        """Give the value under the name."""
        found = _object(value)
        if self.name not in found:
            raise LookupError(f"the record has no attribute '{self.name}'")
        return found[self.name]


@dataclass(frozen=True, slots=True)
class Names:
    """`['id','SageMakerOutput']`: an object of the named attributes."""

    names: tuple[str, ...]
    many: bool = False

    def taken(self, value: Any) -> dict[str, Any]:
        """Give an object with these names only."""
        return {name: Name(name).taken(value) for name in self.names}


@dataclass(frozen=True, slots=True)
class Index:
    """`[1]`, `[-1]`: one element."""

    index: int
    many: bool = False

    def taken(self, value: Any) -> Any:
        """Give the element at the index; negative ones count from the end."""
        found = _list(value)
        if not -len(found) <= self.index < len(found):
            raise LookupError(f"index {self.index} is out of range, the record has {len(found)} elements")
        return found[self.index]


@dataclass(frozen=True, slots=True)
class Indexes:
    """`[0,-1]`: a list of elements."""

    indexes: tuple[int, ...]
    many: bool = True

    def taken(self, value: Any) -> list[Any]:
        """Give the elements in the filter's order."""
        return [Index(index).taken(value) for index in self.indexes]


@dataclass(frozen=True, slots=True)
class Slice:
    """`[2:5]`, `[2:]`, `[:5]`: the elements between; its ends are clipped to the list."""

    start: int | None
    stop: int | None
    many: bool = True

    def taken(self, value: Any) -> list[Any]:
        """Give the elements from `start` to before `stop`."""
        return _list(value)[self.start : self.stop]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`.*` and `[*]`: every value, an object's in the order of its sorted names."""

    many: bool = True

    def taken(self, value: Any) -> list[Any]:
        """Give all values."""
        return [value[name] for name in sorted(value)] if isinstance(value, dict) else _list(value)


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise LookupError("it names an attribute of something that is not an object")


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise LookupError("it counts elements of something that is not a list")


# ----------------------------------------------------------------------------------------------------- parsing

_NAME = r"[^.\[\]*,:'$]+"
_STEP = re.compile(rf"\.?(?P<bracket>\[[^\]]*\])|\.(?P<all>\*)|\.(?P<name>{_NAME})")
_QUOTED = re.compile(r"'([^']*)'")


def parsed(path: str) -> JsonPath:
    """Read a filter; InvalidJsonPath, in the data log's words where they are known, for one outside the subset."""
    if not path.startswith(ROOT):
        raise refused(path, f"a path begins with {ROOT}")
    at, steps = len(ROOT), list[Step]()
    while at < len(path):
        if (found := _STEP.match(path, at)) is None:
            raise refused(path, f"{path[at:]} is not supported")
        steps.append(_STEPS[found.lastgroup or ""](path, found[found.lastgroup or ""]))
        at = found.end()
    return JsonPath(path, tuple(steps))


def _bracketed(path: str, bracket: str) -> Step:
    for shape, step in _BRACKETS.items():
        if shape.fullmatch(bracket[1:-1].strip()):
            return step(bracket[1:-1])
    if ":" in bracket:
        # Word for word from a data log: aws/sagemaker-python-sdk#1112.
        reason = "only single range filters of format (eg: [1:5]) are supported. Format {} is not supported"
        raise refused(path, reason.format(bracket))
    raise refused(path, f"Format {bracket} is not supported")


def _names(inside: str) -> Step:
    names = tuple(_QUOTED.findall(inside))
    return Name(names[0]) if len(names) == 1 else Names(names)


def _indexes(inside: str) -> Step:
    indexes = tuple(map(int, inside.split(",")))
    return Index(indexes[0]) if len(indexes) == 1 else Indexes(indexes)


def _slice(inside: str) -> Step:
    start, stop = (int(end) if end.strip() else None for end in inside.split(":"))
    return Slice(start, stop)


_STEPS: Mapping[str, Callable[[str, str], Step]] = {
    "bracket": _bracketed,
    "all": lambda _path, _star: Wildcard(),
    "name": lambda _path, name: Name(name),
}
_BRACKETS: Mapping[re.Pattern[str], Callable[[str], Step]] = {
    re.compile(r"\*"): lambda _inside: Wildcard(),
    re.compile(rf"'{_NAME}'(?:\s*,\s*'{_NAME}')*"): _names,
    re.compile(r"-?\d+(?:\s*,\s*-?\d+)*", re.ASCII): _indexes,
    re.compile(r"(?:-?\d+)?\s*:\s*(?:-?\d+)?", re.ASCII): _slice,
}
