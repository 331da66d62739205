"""What decides the output of a job, in a form that can be compared, and what differs between two of these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.planning.selection import Found
from airflow_batchtx.spec.intent import Work

# Members of CreateTransformJob that cannot change an output; which objects are read is said by themselves.
NO_MATTER = (
    "TransformJobName",
    "Tags",
    "ExperimentConfig",
    "TransformResources",
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "TransformInput.DataSource",
)
# What DescribeTransformJob shows where a request is silent: to write it or not is the same.
SILENT: Mapping[str, str] = {
    "TransformInput.CompressionType": "None",
    "TransformInput.SplitType": "None",
    "TransformOutput.AssembleWith": "None",
    "TransformOutput.KmsKeyId": "",
    "DataProcessing.InputFilter": "$",
    "DataProcessing.OutputFilter": "$",
    "DataProcessing.JoinSource": "None",
}
# Members of DescribeModel's answer that say nothing of what the model does; its name is a member of the request.
NOT_THE_MODEL = ("ModelName", "ModelArn", "CreationTime", "DeploymentRecommendation", "ResponseMetadata")

ENVIRONMENT = "Environment"
_SHOWN = 3  # objects that a difference names
_LONGEST = 80  # characters of a value that a difference shows


def work_of(request: Mapping[str, Any], model: Mapping[str, Any], objects: Iterable[Found]) -> Work:
    """Take what decides the output out of a CreateTransformJob request, DescribeModel's answer and the input.

    Structures become dotted paths, the elements of lists numbered from 0; values of an environment become digests.
    """
    asked = {path: value for path, value in _leaves(request, NO_MATTER) if value != SILENT.get(path)}
    return Work(
        request=asked,
        model=dict(_leaves(model, NOT_THE_MODEL)),
        objects={str(found.uri): version(found) for found in objects},
    )


def digested(environment: Mapping[str, str]) -> dict[str, str]:
    """Put `sha256:<hexadecimal digits>` in the place of each value of an environment: they may be secrets."""
    return {name: f"sha256:{hashlib.sha256(str(text).encode()).hexdigest()}" for name, text in environment.items()}


def version(found: Found) -> str:
    """Name what is in an object: `etag:<etag>:<size>`, or `sha256:<hexadecimal digits> etag:<etag>:<size>`."""
    seen = f"etag:{found.etag}:{found.size}"
    return f"sha256:{found.sha256} {seen}" if found.sha256 else seen


def same_version(one: str, other: str) -> bool:
    """Tell whether two versions of an object are the same: by sha256 if both have it, else by ETag and size."""
    mine, theirs = _parsed(one), _parsed(other)
    return mine.etag == theirs.etag if None in (mine.sha256, theirs.sha256) else mine.sha256 == theirs.sha256


# ----------------------------------------------------------------------------------------------- what differs


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: `part` is request, model or input, `name` the path of the member.

    Of the request and the model `before` and `now` are values, None where there is none. Of the input they are the
    URIs of objects, all of those that `name` says were added, removed or changed.
    """

    part: str
    name: str
    before: Any
    now: Any

    def __str__(self) -> str:
        if self.part == "input":
            return f"input {self.name}: {_listed(self.now or self.before)}"
        return f"{self.part} {self.name} {_told(self.before, self.now)}"


def differences(before: Work, now: Work) -> tuple[Difference, ...]:
    """Name everything that differs between two works, member by member; objects by kinds of change."""
    return (
        *_members("request", before.request, now.request),
        *_members("model", before.model, now.model),
        *_objects(before.objects, now.objects),
    )


def _members(part: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(before.keys() | now.keys()):
        was, is_ = before.get(name), now.get(name)
        if _written(was) != _written(is_):
            yield Difference(part, name, was, is_)


def _objects(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Difference]:
    added, removed = tuple(sorted(now.keys() - before.keys())), tuple(sorted(before.keys() - now.keys()))
    both = sorted(before.keys() & now.keys())
    changed = tuple(uri for uri in both if before[uri] != now[uri] and not same_version(before[uri], now[uri]))
    for name, was, is_ in (("added", (), added), ("removed", removed, ()), ("changed", changed, changed)):
        if was or is_:
            yield Difference("input", f"objects {name}", was, is_)


def _told(before: Any, now: Any) -> str:
    if before is None:
        return f"is new: {_short(now)}"
    if now is None:
        return f"is gone, it was {_short(before)}"
    if _is_digest(before) and _is_digest(now):
        return "has another value"
    return f"was {_short(before)}, is {_short(now)}"


def _short(value: Any) -> str:
    if _is_digest(value):
        return "a value that is not shown"
    shown = repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")


def _listed(uris: tuple[str, ...]) -> str:
    more = ", ..." if len(uris) > _SHOWN else ""
    return f"{len(uris)} ({', '.join(uris[:_SHOWN])}{more})"


# ------------------------------------------------------------------------------------------------------ forms


@dataclass(frozen=True, slots=True)
class _Version:
    sha256: str | None
    etag: str


def _parsed(text: str) -> _Version:
    if not text.startswith("sha256:"):
        return _Version(None, text)
    sha256, _, etag = text.partition(" ")
    return _Version(sha256, etag)


def _leaves(value: Any, without: Iterable[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value in a structure with its path; what holds nothing is as if it were not there."""
    if value is None or path in without:
        return
    if (parts := _parts(value)) is None:
        yield path, value if isinstance(value, str | int | float) else str(value)
        return
    for name, part in parts:
        known = digested(part) if name == ENVIRONMENT and isinstance(part, Mapping) else part
        yield from _leaves(known, without, f"{path}.{name}" if path else str(name))


def _parts(value: Any) -> Iterable[tuple[Any, Any]] | None:
    match value:
        case Mapping():
            return value.items()
        case list() | tuple():
            return enumerate(value)
        case _:
            return None


def _written(value: Any) -> str:
    """Write a value in the one way in which equal ones are equal texts."""
    return json.dumps(value, sort_keys=True)
