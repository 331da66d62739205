"""What a piece of work came to: which output answers which input, exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.intent import ObjectState
from airflow_batchtx.spec.manifest import as_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An input object and its output, both as a listing showed them; `job_name` is the job that wrote the output.

    `state` and `job_name` are None where the job owed an output and it is not there.
    """

    input: str
    size: int
    etag: str
    sha256: str | None
    output: str
    state: ObjectState | None
    job_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The exact mapping of inputs to outputs, whichever attempts wrote them, and the TransformResult as JSON.

    `unexpected` are outputs below the prefix that came meanwhile and belong to no input of this work.
    """

    job_name: str
    result: Mapping[str, Any]
    objects: tuple[Answered, ...]
    empty: tuple[str, ...]
    unexpected: tuple[str, ...]

    def to_json(self) -> bytes:
        """Write it; the same value always gives the same bytes."""
        return as_json({"version": 1, **asdict(self)})

    @classmethod
    def read(cls, body: bytes) -> Record:
        """Read what `to_json` wrote; MalformedRecord for anything else. Members of later versions are ignored."""
        try:
            value = json.loads(body)
            return cls(
                job_name=value["job_name"],
                result=dict(value["result"]),
                objects=tuple(_answered(part) for part in value["objects"]),
                empty=tuple(value["empty"]),
                unexpected=tuple(value["unexpected"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedRecord(f"not the record of a transform job: {error!r}") from error


def _answered(value: Mapping[str, Any]) -> Answered:
    known = {name: value[name] for name in Answered.__dataclass_fields__}
    state = known["state"]
    return Answered(**{**known, "state": state and ObjectState(etag=state["etag"], modified=state["modified"])})
