"""What a prepare task is asked for. Pure: a DAG is checked by it without any data library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.spec import options
from airflow_batchtx.spec.options import Option, read_options
from airflow_batchtx.spec.uri import S3Uri

# By the end of an object's name, in lower case.
FORMATS: Mapping[str, str] = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
MIB = 1024 * 1024
# Well over a payload of 6 MB, so that requests are full; little enough that a job of a few gigabytes has shards for
# many instances, and that a failed shard is soon done again.
SHARD_BYTES = 32 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest:
    """Which rows of which objects become shards, and how large.

    `source`: folders, which end in a slash, and objects, in order; an object named twice is read once. In a folder,
    names that begin with `_` or `.` are left out, as are empty objects.
    `columns`: what the model is sent, in that order; None for all columns that are not kept.
    `keep`: what is kept aside for the scored table; a column may be both.
    `types`: the Arrow types of kept columns, such as `{"id": "int64"}`. Without one a kept column of CSV is text, as it
    was written, and one of Parquet has the type that it has there.
    `format`: "csv" (with a header) or "parquet" where the objects' names do not tell.
    `shard_bytes`: a shard is as large as it may be, at most so many bytes (a longer row is a shard of its own).
    `shard_rows`: and at most so many rows.
    `min_shards`: at least so many shards of about the same size, as far as there are rows: AWS deals whole objects to
    a job's instances, so give at least its instance count.
    """

    source: tuple[S3Uri, ...]
    output: S3Uri
    columns: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    shard_bytes: int = SHARD_BYTES
    shard_rows: int | None = None
    min_shards: int = 1

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> PrepareRequest:
        """Read the options that a DAG gave, rendered; InvalidInput names everything that is wrong with them."""
        known = check(values)
        return cls(**known)

    @property
    def shards(self) -> S3Uri:
        """The folder of the shards: of nothing else, since a transform job takes all that is below its prefix."""
        return self.output / "shards/"

    @property
    def kept(self) -> S3Uri:
        """The folder of the kept columns."""
        return self.output / "kept/"

    @property
    def manifest(self) -> S3Uri:
        """The object that is written last."""
        return self.output / "manifest.json"


OPTIONS: Mapping[str, Option] = {
    "source": Option(options.uris, "Give S3 URIs, such as s3://bucket/folder/ or s3://bucket/folder/table.csv."),
    "output": Option(options.folder, "Give an S3 prefix that belongs to this task, such as s3://bucket/prepared/."),
    "columns": Option(options.optional(options.names), "Give a list of columns, or None for all that are not kept."),
    "keep": Option(options.names, "Give a list of columns."),
    "types": Option(options.texts, 'Give Arrow types by column, such as {"id": "int64"}.'),
    "format": Option(
        options.optional(options.one_of(sorted(set(FORMATS.values())))), "Leave it out where the names of objects tell."
    ),
    "shard_bytes": Option(options.whole(1), "Give bytes; leave it out for 32 MiB."),
    "shard_rows": Option(options.optional(options.whole(1)), "Give a number of rows, or None."),
    "min_shards": Option(options.whole(1), "Give the transform job's instance count."),
}


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that are known by now, read; InvalidInput names everything that is wrong with them."""
    given = {name.name: values[name.name] for name in fields(PrepareRequest) if name.name in values}
    known, wrong = read_options({name: OPTIONS[name] for name in given}, given)
    defaults: dict[str, Any] = {name: default for name, default in (("keep", ()), ("types", {})) if name not in values}
    refuse(InvalidInput, "prepare", [*wrong, *_together(defaults | known)])
    return known


def _together(known: Mapping[str, Any]) -> Iterator[Problem]:
    if "keep" in known and (strangers := sorted(set(known.get("types", ())) - set(known["keep"]))):
        yield Problem("types", strangers, "names columns that are not kept", "Add them to keep; the model gets text.")
    if known.get("columns") == ():
        yield Problem("columns", (), "leaves the model nothing", "Name a column, or leave it out for all.")
    if "output" in known:
        yield from overlaps(known.get("source", ()), known["output"])


def overlaps(source: Iterable[S3Uri], output: S3Uri) -> Iterator[Problem]:
    """Find what of the source lies where shards and kept columns are written, or has that inside."""
    for uri in source:
        for written in (output / "shards/", output / "kept/"):
            if written.covers(uri) or (is_folder(uri) and uri.covers(written)):
                yield Problem("output", str(output), f"would write {written} into what it reads from {uri}", _APART)
                break


_APART = "Choose an output prefix beside the source."


def is_folder(uri: S3Uri) -> bool:
    """Tell a folder, all of whose objects are meant, from an object."""
    return not uri.key or uri.key.endswith("/")
