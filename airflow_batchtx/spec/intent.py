"""What an attempt is about to do: written into its control folder before the call that is paid for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.manifest import as_json
from airflow_batchtx.spec.naming import Identity

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectState:
    """How an object looked in a listing: `etag` as S3 writes it, `modified` in ISO 8601, UTC."""

    etag: str
    modified: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An output that an earlier attempt wrote, and that counts."""

    job_name: str
    state: ObjectState


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedObject:
    """An input object as the listing showed it, `size` in bytes; `sha256` where a prepare task told it.

    `target` is where its output goes, `before` how that place looked before this attempt (None: empty). One that is
    `done` is not sent again.
    """

    uri: str
    size: int
    etag: str
    sha256: str | None
    target: str
    before: ObjectState | None
    done: Done | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything that decides what the output is; two works that are equal give the same output.

    `request` maps dotted paths of CreateTransformJob to values, `model` those of DescribeModel, `objects` the URI of
    each input object to its version.
    """

    request: Mapping[str, Any]
    model: Mapping[str, Any]
    objects: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A try of a task: `number` counts up within a DAG run, `id` is no other try's."""

    number: int
    id: str

    def is_before_run_of(self, other: Try) -> bool:
        """Tell whether this was in an earlier DAG run of the same id, which was deleted: one run counts tries up."""
        return self.id != other.id and self.number >= other.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One attempt at one piece of work.

    `attempt` counts from 1; `epoch` changes when the task is cleared, `tried` is the try that wrote this, both None
    outside Airflow. `written` is a time in ISO 8601, UTC. `request` is the whole CreateTransformJob request, the values
    of its environment as digests. `empty` are the objects of 0 bytes, which have no output, `left_out` counts those
    that the patterns keep out. `prepared` is the manifest of the prepare task that made the input, `rows` what it
    counted; `model_created` the model that was made for this work, None where it was there before; `output` the prefix
    that outputs lie below.
    """

    job_name: str
    attempt: int
    epoch: int | None
    identity: Identity
    written: str
    request: Mapping[str, Any]
    work: Work
    objects: tuple[PinnedObject, ...]
    empty: tuple[str, ...]
    left_out: int
    prepared: str | None
    rows: int | None
    model_created: str | None
    output: str
    tried: Try | None = None

    def to_json(self) -> bytes:
        """Write it; the same value always gives the same bytes."""
        mappings = {"request": _ordered(self.request), "work": _ordered(asdict(self.work))}
        return as_json({"version": 1, **asdict(self), **mappings})

    @classmethod
    def read(cls, body: bytes) -> Intent:
        """Read what `to_json` wrote; MalformedRecord for anything else. Members of later versions are ignored."""
        try:
            return _only(
                cls,
                {"tried": None} | json.loads(body),
                tried=lambda part: part and _only(Try, part),
                identity=lambda part: _only(Identity, part),
                work=lambda part: _only(Work, part, request=dict, model=dict, objects=dict),
                request=dict,
                objects=lambda parts: tuple(_pinned(part) for part in parts),
                empty=tuple,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedRecord(f"not the intent of a transform job: {error!r}") from error


def _pinned(value: Mapping[str, Any]) -> PinnedObject:
    return _only(PinnedObject, value, before=_state, done=_done)


def _done(value: Mapping[str, Any] | None) -> Done | None:
    return None if value is None else _only(Done, value, state=_state)


def _state(value: Mapping[str, Any] | None) -> ObjectState | None:
    return None if value is None else _only(ObjectState, value)


def _only(kind: type[T], value: Mapping[str, Any], **read: Callable[[Any], Any]) -> T:
    """Make a dataclass of the members that it has, those that are more than text and numbers by their readers."""
    return kind(**{name: read.get(name, _as_it_is)(value[name]) for name in kind.__dataclass_fields__})  # type: ignore[attr-defined]


def _as_it_is(value: Any) -> Any:
    return value


def _ordered(value: Any) -> Any:
    """Sort mappings, in which order means nothing."""
    match value:
        case Mapping():
            return {key: _ordered(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [_ordered(part) for part in value]
        case _:
            return value
