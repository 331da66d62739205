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
    """A proved table: the prefix that its parts lie below, the manifest that lists them, and what is in it.

    `dead_rows` are the rows of the input that are not in it; they lie with the reason below `dead_letters`, which is
    None without any. With a `share` all numbers are those of this share alone; the last of them writes the manifest.
    Where folders of the inputs have `tables` of their own, each of them has its manifest, and this one is None.
    """

    output: str
    manifest: str | None
    rows: int
    parts: int
    columns: tuple[str, ...]
    job_name: str
    dead_rows: int = 0
    dead_letters: str | None = None
    share: str | None = None
    tables: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON (a small XCom)."""
        return {**asdict(self), "columns": list(self.columns)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One object of the table: the input object whose rows it holds, and the output object that answered them.

    Of objects that are one record each it holds the rows of `inputs` together, of which these are the first.
    """

    uri: str
    rows: int
    bytes: int
    sha256: str
    input: str
    output: str
    inputs: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociatedManifest:
    """The whole table. `columns` gives each column's Arrow type, `predictions` names those that the model gave.

    Columns of `partition_by` are in the names of folders. `dead_letters` are objects like parts, of the rows that are
    not in the table. `work` is a digest of everything that decides what is in the parts.
    """

    job_name: str
    format: str
    columns: Mapping[str, str]
    predictions: tuple[str, ...]
    parts: tuple[Part, ...]
    partition_by: tuple[str, ...] = ()
    dead_letters: tuple[Part, ...] = ()
    work: str = ""

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def dead_rows(self) -> int:
        """Rows in all dead letters."""
        return sum(part.rows for part in self.dead_letters)

    def to_json(self) -> bytes:
        """Write it, with the totals that a reader wants first."""
        return as_json({"version": 1, "rows": self.rows, "dead_rows": self.dead_rows, **asdict(self)})

    @classmethod
    def read(cls, body: bytes) -> AssociatedManifest:
        """Read what `to_json` wrote; MalformedRecord for anything else. Members of later versions are ignored."""
        try:
            value = json.loads(body)
            lists = {
                name: tuple(Part(**_known(Part, part)) for part in value.get(name, ()))
                for name in ("parts", "dead_letters")
            }
            return cls(**{**_known(cls, value), **lists})
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedRecord(f"not the manifest of an associate task: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsAhead:
    """What an associate task says before it touches anything: every part that it may remove or write.

    By it a run that died midway is known for ours, and what it left can be taken away by the next one. Below folders of
    the columns of a member of `partitions` all parts are ours: where they will be is not known ahead.
    """

    job_name: str
    parts: tuple[str, ...]
    partitions: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> bytes:
        """Write it in the form of a manifest, whose parts have no more than their address."""
        parts = [{"uri": uri} for uri in self.parts]
        return as_json(
            {"version": 1, "job_name": self.job_name, "parts": parts, "partitions": list(map(list, self.partitions))}
        )

    @classmethod
    def read(cls, body: bytes) -> PartsAhead:
        """Read what `to_json` wrote, or what a manifest says of itself; MalformedRecord for anything else."""
        try:
            value = json.loads(body)
            # Manifests of other tools list parts too.
            _ = value["version"]
            listed = [*value["parts"], *value.get("dead_letters", ())]
            return cls(
                job_name=value["job_name"],
                parts=tuple(str(part["uri"]) for part in listed),
                partitions=tuple(tuple(map(str, by)) for by in value.get("partitions", ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedRecord(f"not the manifest of an associate task: {error!r}") from error


def _known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """Take the members that a dataclass has; those that an earlier version did not write are left out."""
    found = {name: value[name] for name in kind.__dataclass_fields__ if name in value}
    return {name: tuple(part) if isinstance(part, list) else part for name, part in found.items()}
