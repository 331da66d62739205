"""What an associate task publishes: small for XCom, whole beside its table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.manifest import as_json


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociatedOutput:
    """A proved table: the prefix that its parts lie below, the manifest that lists them, and what is in it."""

    output: str
    manifest: str
    rows: int
    parts: int
    columns: tuple[str, ...]
    job_name: str

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON (a small XCom)."""
        return {**asdict(self), "columns": list(self.columns)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One object of the table: the input object whose rows it holds, and the output object that answered them."""

    uri: str
    rows: int
    bytes: int
    sha256: str
    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociatedManifest:
    """The whole table. `columns` gives each column's Arrow type, `predictions` names those that the model gave."""

    job_name: str
    format: str
    columns: Mapping[str, str]
    predictions: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)

    def to_json(self) -> bytes:
        """Write it, with the totals that a reader wants first."""
        return as_json({"version": 1, "rows": self.rows, **asdict(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsAhead:
    """What an associate task says before it touches anything: every part that it may remove or write.

    By it a run that died midway is known for ours, and what it left can be taken away by the next one.
    """

    job_name: str
    parts: tuple[str, ...]

    def to_json(self) -> bytes:
        """Write it in the form of a manifest, whose parts have no more than their address."""
        return as_json({"version": 1, "job_name": self.job_name, "parts": [{"uri": uri} for uri in self.parts]})


def listed_parts(body: bytes) -> frozenset[str]:
    """Give the addresses of the parts that a manifest, or what was said ahead of one, lists; else MalformedRecord."""
    try:
        value = json.loads(body)
        # Manifests of other tools list parts too.
        _ = value["version"], value["job_name"]
        return frozenset(str(part["uri"]) for part in value["parts"])
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedRecord(f"not the manifest of an associate task: {error!r}") from error
