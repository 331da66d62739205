"""What a prepare task is asked for. Pure: a DAG is checked by it without any data library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.planning.sharding import ShardWishes
from airflow_batchtx.spec import arrow_names, options
from airflow_batchtx.spec.allowance import Allowance, allowance
from airflow_batchtx.spec.media import media_type
from airflow_batchtx.spec.options import Option, read_options
from airflow_batchtx.spec.uri import S3Uri

# By the end of an object's name, in lower case; a compression's stands behind a format's.
FORMATS: Mapping[str, str] = {
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonlines", ".ndjson": "jsonlines", ".jsonlines": "jsonlines",
}  # fmt: skip
DELIMITERS: Mapping[str, str] = {".tsv": "\t"}
COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}
# The media types that rows are written in, a line each; whatever has another is sent whole.
CSV, JSON_LINES = "text/csv", "application/jsonlines"
_ROWS: Mapping[str, str] = {
    CSV: CSV,
    JSON_LINES: JSON_LINES,
    # What some containers call it.
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
}
# How a record of JSON Lines looks.
RECORDS = ("object", "array", "features")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest:
    """Which rows of which objects become shards, and how large.

    `source`: folders, which end in a slash, and objects, in order; an object named twice is read once. In a folder,
    names that begin with `_` or `.` are left out, as are empty objects.
    `columns`: what the model is sent, in that order; None for all columns that are not kept.
    `keep`: what is kept aside for the scored table; a column may be both.
    `rename`: new names of columns by those that they have in the source; all other options know the new names.
    `types`: the Arrow types of columns, such as `{"id": "int64"}`. Without one a column of CSV is text, as it was
    written, and one of any other format has the type that it has there.
    `fill`: what stands in the place of a null, by column. A cell of CSV without text is a null in a column that has a
    type, is filled or is required.
    `required`: columns that have no nulls.
    `max_quarantined`: how many rows that cannot be prepared are set aside, in a table of their own, before that is an
    error. None by default: all that is wrong with the first of them is told.
    `format`: "csv", "parquet" or "jsonlines" where the objects' names do not tell.
    `compression`: "gzip", "zstd" or "none" where they do not tell either.
    `delimiter`: what stands between cells of CSV, a comma if left out (a tab in `.tsv`). `quote`: what stands around
    cells that hold one, or "none".
    `header`: whether the first record of every CSV object names its columns; without one `names` does.
    `sql`: a query whose rows are prepared instead of a source. `sql_conn_id`: the Airflow connection that it runs over.
    `content_type`: what the model is sent. "text/csv" and "application/jsonlines" are made of rows; with any other
    type the objects of the source are sent whole, as they lie there, and only listed: images, documents.
    `record`: how a row looks in JSON Lines: an "object" of its columns, an "array" of them, or "features", which is
    such an array as the member of that name.
    `include`, `exclude`: patterns of the paths of whole objects below the folder that all of the source lies in, in
    which `*` stands for any text; only those, and none of those.
    `keep_from`: a table with a column `object`, an URI or such a path, whose other columns are kept for whole objects.
    `shard_bytes`: a shard is as large as it may be, at most so many bytes (a longer row is a shard of its own). None
    has it planned, by what is known of the job: see `planning.sharding`.
    `shard_rows`: and at most so many rows.
    `min_shards`: at least so many shards of about the same size, as far as there are rows: AWS deals whole objects to
    a job's instances.
    `instance_count`, `max_payload_in_mb`, `max_concurrent_transforms`: the transform job's, to plan shards by.
    """

    output: S3Uri
    source: tuple[S3Uri, ...] = ()
    columns: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    fill: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    max_quarantined: Allowance = field(default_factory=Allowance)
    format: str | None = None
    compression: str | None = None
    delimiter: str | None = None
    quote: str = '"'
    header: bool = True
    names: tuple[str, ...] = ()
    sql: str | None = None
    sql_conn_id: str | None = None
    content_type: str = CSV
    record: str = "object"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep_from: S3Uri | None = None
    shard_bytes: int | None = None
    shard_rows: int | None = None
    min_shards: int = 1
    instance_count: int | None = None
    max_payload_in_mb: int | None = None
    max_concurrent_transforms: int | None = None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> PrepareRequest:
        """Read the options that a DAG gave, rendered; InvalidInput names everything that is wrong with them."""
        known = check(values)
        return cls(**known)

    @property
    def whole(self) -> bool:
        """Tell whether objects are sent whole."""
        return is_whole(self.content_type)

    @property
    def wishes(self) -> ShardWishes:
        """What is asked for of the shards."""
        return ShardWishes(
            **{name.name: getattr(self, name.name) for name in fields(ShardWishes) if name.name in OPTIONS}
        )

    @property
    def shards(self) -> S3Uri:
        """The folder of the shards: of nothing else, since a transform job takes all that is below its prefix."""
        return self.output / "shards/"

    @property
    def kept(self) -> S3Uri:
        """The folder of the kept columns."""
        return self.output / "kept/"

    @property
    def quarantine(self) -> S3Uri:
        """The folder of the rows that were set aside."""
        return self.output / "quarantine/"

    @property
    def manifest(self) -> S3Uri:
        """The object that is written last."""
        return self.output / "manifest.json"


def written_as(content_type: str) -> str | None:
    """Give CSV or JSON_LINES for a media type that rows are written in, None for one that has objects sent whole."""
    return _ROWS.get(media_type(content_type))


def is_whole(content_type: str) -> bool:
    """Tell whether objects of a media type are sent whole, not rows of theirs."""
    return written_as(content_type) is None


def _content_type(value: Any) -> str:
    # RFC 9110, 8.3.1: a type and a subtype of token characters, parameters behind a semicolon.
    if not isinstance(value, str) or not re.fullmatch(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+\s*(;.*)?", value, re.ASCII):
        raise ValueError("must be a media type: type/subtype")
    return value


def _scalars(value: Any) -> dict[str, str]:
    """Read a mapping of columns to values, as the text that a CSV cell would hold."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise TypeError("must be a mapping of columns to values")
    if not all(isinstance(part, str | bool | int | float) for part in value.values()):
        raise TypeError("must have texts, numbers or truth values")
    return {name: str(part).lower() if isinstance(part, bool) else str(part) for name, part in value.items()}


def _mark(value: Any) -> str:
    found = {"\\t": "\t", "tab": "\t"}.get(value, value) if isinstance(value, str) else value
    if not isinstance(found, str) or len(found) != 1 or not found.isascii() or found in "\r\n\0":
        raise ValueError("must be one ASCII character, and no line break")
    return found


def _quote(value: Any) -> str:
    return "none" if value == "none" else _mark(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a text")
    return value


_patterns = options.optional(options.matching(".+", "patterns of names"), ())

OPTIONS: Mapping[str, Option] = {
    "source": Option(
        options.optional(options.uris, ()), "Give S3 URIs, such as s3://bucket/folder/ or s3://bucket/folder/table.csv."
    ),
    "output": Option(options.folder, "Give an S3 prefix that belongs to this task, such as s3://bucket/prepared/."),
    "columns": Option(options.optional(options.names), "Give a list of columns, or None for all that are not kept."),
    "keep": Option(options.names, "Give a list of columns."),
    "rename": Option(options.texts, 'Give new names by old ones, such as {"Customer ID": "id"}.'),
    "types": Option(arrow_names.types, 'Give Arrow types by column, such as {"id": "int64"}.'),
    "fill": Option(_scalars, 'Give a text, a number or a truth value by column, such as {"age": 0}.'),
    "required": Option(options.names, "Give a list of columns."),
    "max_quarantined": Option(allowance, 'Give a number of rows, or a part of them such as "0.1%".'),
    "format": Option(
        options.optional(options.one_of(sorted(set(FORMATS.values())))), "Leave it out where the names of objects tell."
    ),
    "compression": Option(
        options.optional(options.one_of([*COMPRESSIONS.values(), "none"])),
        "Leave it out where the names of objects tell, by .gz or .zst at their end.",
    ),
    "delimiter": Option(options.optional(_mark), "Give a character, such as ; or \\t for a tab."),
    "quote": Option(_quote, 'Give a character, or "none".'),
    "header": Option(options.flag, "Give False if objects begin with a row, and names= with it."),
    "names": Option(options.optional(options.names, ()), "Give the names of all columns, from left to right."),
    "sql": Option(options.optional(_text), "Give a query, such as SELECT id, age FROM customers ORDER BY id."),
    "sql_conn_id": Option(options.optional(_text), "Give the id of an Airflow connection to a database."),
    "content_type": Option(
        options.optional(_content_type, CSV), "Give text/csv, application/jsonlines, or such as image/png."
    ),
    "record": Option(options.one_of(RECORDS), "Leave it out for an object with the columns' names."),
    "include": Option(_patterns, "Give a pattern such as *.png, or a list of them."),
    "exclude": Option(_patterns, "Give a pattern such as *.png, or a list of them."),
    "keep_from": Option(options.optional(options.uri), "Give the S3 URI of a table with a column named object."),
    "shard_bytes": Option(options.optional(options.whole(1)), "Give bytes; leave it out to have it planned."),
    "shard_rows": Option(options.optional(options.whole(1)), "Give a number of rows, or None."),
    "min_shards": Option(options.whole(1), "Give a number of shards."),
    "instance_count": Option(options.optional(options.whole(1)), "Give the transform job's instance count."),
    "max_payload_in_mb": Option(options.optional(options.whole(0)), "Give the transform job's MaxPayloadInMB."),
    "max_concurrent_transforms": Option(
        options.optional(options.whole(0)), "Give the transform job's MaxConcurrentTransforms."
    ),
}


_DEFAULTS: Mapping[str, Any] = {
    one.name: one.default if one.default_factory is MISSING else one.default_factory()
    for one in fields(PrepareRequest)
    if one.default is not MISSING or one.default_factory is not MISSING
}


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that are known by now, read; InvalidInput names everything that is wrong with them."""
    given = {name.name: values[name.name] for name in fields(PrepareRequest) if name.name in values}
    known, wrong = read_options({name: OPTIONS[name] for name in given}, given)
    defaults = {name: default for name, default in _DEFAULTS.items() if name not in values}
    refuse(InvalidInput, "prepare", [*wrong, *_together(defaults | known)])
    return known


def _together(known: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _where_from(known)
    if "content_type" in known and not is_whole(known["content_type"]):
        yield from _about_columns(known)
    yield from _about_csv(known)
    if known.get("columns") == ():
        yield Problem("columns", (), "leaves the model nothing", "Name a column, or leave it out for all.")
    yield from _out_of_place(known)
    if "output" in known:
        yield from overlaps(known.get("source", ()), known["output"])


def _where_from(known: Mapping[str, Any]) -> Iterator[Problem]:
    if not {"source", "sql", "sql_conn_id"} <= known.keys():
        return
    if known["source"] and known["sql"]:
        yield Problem("sql", known["sql"], "cannot be prepared beside a source", "Give source or sql.")
    if not known["source"] and not known["sql"]:
        yield Problem("source", (), "must name at least one prefix or object", OPTIONS["source"].remedy)
    if known["sql"] and not known["sql_conn_id"]:
        yield Problem("sql_conn_id", None, "is needed to run sql", OPTIONS["sql_conn_id"].remedy)


def _about_columns(known: Mapping[str, Any]) -> Iterator[Problem]:
    """Find columns that something is said of, though they go nowhere."""
    if {"columns", "keep"} <= known.keys() and known["columns"] is not None:
        used = {*known["columns"], *known["keep"]}
        for name in ("types", "fill", "required"):
            if strangers := [column for column in known.get(name, ()) if column not in used]:
                rule = "names columns that are neither sent nor kept"
                yield Problem(name, strangers, rule, "Add them to columns or keep, or leave them out.")
    renamed = list(known.get("rename", {}).values())
    if twice := sorted({name for name in renamed if renamed.count(name) > 1}):
        yield Problem("rename", twice, "gives two columns the same name", "Give each its own.")


def _about_csv(known: Mapping[str, Any]) -> Iterator[Problem]:
    if {"header", "names"} <= known.keys() and known["header"] == bool(known["names"]):
        rule = "would be read from the header" if known["header"] else "are needed where there is no header"
        yield Problem("names", known["names"], rule, "Give header=False and names together.")
    if {"delimiter", "quote"} <= known.keys() and known["quote"] == (known["delimiter"] or ","):
        yield Problem("quote", known["quote"], "is the delimiter", "Give another character.")


def _out_of_place(known: Mapping[str, Any]) -> Iterator[Problem]:
    """Find options that mean nothing for what is sent."""
    if "content_type" not in known:
        return
    content_type: str = known["content_type"]
    if is_whole(content_type):
        for name in _OF_ROWS:
            if known.get(name, _DEFAULTS[name]) != _DEFAULTS[name]:
                rule = f"is about rows, but {content_type} has objects sent whole"
                yield Problem(name, known[name], rule, f"Leave it out, or give content_type {CSV} or {JSON_LINES}.")
        return
    for name in _OF_OBJECTS:
        if known.get(name, _DEFAULTS[name]) != _DEFAULTS[name]:
            rule = f"is about objects that are sent whole, but {content_type} is made of rows"
            yield Problem(name, str(known[name]), rule, "Leave it out.")
    if known.get("record", RECORDS[0]) != RECORDS[0] and written_as(content_type) != JSON_LINES:
        yield Problem("record", known["record"], f"is about {JSON_LINES}, not {content_type}", "Leave it out.")


_OF_ROWS = (
    "columns", "keep", "rename", "fill", "required", "max_quarantined", "sql", "record", "shard_bytes", "shard_rows",
)  # fmt: skip
_OF_OBJECTS = ("include", "exclude", "keep_from")


def overlaps(source: Iterable[S3Uri], output: S3Uri) -> Iterator[Problem]:
    """Find what of the source lies where shards and kept columns are written, or has that inside."""
    for uri in source:
        for written in (output / "shards/", output / "kept/", output / "quarantine/"):
            if written.covers(uri) or (is_folder(uri) and uri.covers(written)):
                yield Problem("output", str(output), f"would write {written} into what it reads from {uri}", _APART)
                break


_APART = "Choose an output prefix beside the source."


def is_folder(uri: S3Uri) -> bool:
    """Tell a folder, all of whose objects are meant, from an object."""
    return not uri.key or uri.key.endswith("/")
