"""What prepare writes last, beside its shards, and associate reads first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass
from typing import Any

from airflow_batchtx.errors import MalformedRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceObject:
    """An object that rows were read from, as the listing showed it; `size` in bytes."""

    uri: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One object for the model. `kept` holds the kept columns of the same rows in the same order, None without any.

    An object that is sent whole is not read: it has an `etag` instead of a `sha256`, and its kept columns are row
    `kept_row`, from 0, of a table that all shards share.
    """

    uri: str
    rows: int
    bytes: int
    sha256: str | None
    kept: str | None
    etag: str | None = None
    kept_row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedManifest:
    """Everything that was prepared in one run. `kept` gives each kept column's Arrow type; same data, same bytes.

    `why` says in sentences why the shards are as large as they are. `quarantined` rows of the source could not be
    prepared; the objects of `quarantine` tell of them.
    """

    input: str
    content_type: str
    split_type: str
    columns: tuple[str, ...]
    kept: Mapping[str, str]
    source: tuple[SourceObject, ...]
    shards: tuple[Shard, ...]
    why: tuple[str, ...] = ()
    quarantined: int = 0
    quarantine: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows in all shards."""
        return sum(shard.rows for shard in self.shards)

    def to_json(self) -> bytes:
        """Write it, with the totals that a reader wants first."""
        return as_json({"version": 1, "rows": self.rows, **asdict(self)})

    @classmethod
    def read(cls, body: bytes) -> PreparedManifest:
        """Read what `to_json` wrote; MalformedRecord for anything else. Members of later versions are ignored."""
        try:
            value = json.loads(body)
            return cls(
                source=tuple(_only(SourceObject, part) for part in value["source"]),
                shards=tuple(_only(Shard, part) for part in value["shards"]),
                columns=tuple(value["columns"]),
                why=tuple(value.get("why", ())),
                quarantined=value.get("quarantined", 0),
                quarantine=tuple(value.get("quarantine", ())),
                **{name: value[name] for name in ("input", "content_type", "split_type", "kept")},
            )
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedRecord(f"not the manifest of a prepare task: {error!r}") from error


def as_json(value: Any) -> bytes:
    """Write JSON as people like to read it; the same value always gives the same bytes."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def _only(kind: type[Any], value: Mapping[str, Any]) -> Any:
    """Make a dataclass of the members that it has; an earlier version may have left out those with a default."""
    fields = kind.__dataclass_fields__.values()
    return kind(**{one.name: value[one.name] for one in fields if one.default is MISSING or one.name in value})
