"""Which objects rows are read from, and which columns of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from airflow_batchtx.errors import InvalidData, MalformedRecord, Problem, StorageError, refuse
from airflow_batchtx.preparation.arrow_types import KNOWN, type_named
from airflow_batchtx.preparation.request import FORMATS, PrepareRequest, is_folder
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject
from airflow_batchtx.storage.tables import csv_records, csv_text, parquet

# Objects whose heads are read at once.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SourceTable:
    """An object, its format and the columns that it has; a column of CSV is text."""

    stored: StoredObject
    format: str
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read: every table has the columns, and all of them keep the same types."""

    tables: tuple[SourceTable, ...]
    columns: tuple[str, ...]
    kept: pa.Schema


def plan(store: ObjectStore, request: PrepareRequest) -> Plan:
    """Look at every object's head; InvalidData names everything that stands in the way of reading them all."""
    types, problems = _types(request)
    tables, unreadable = _tables(store, request)
    problems += unreadable
    if not tables and not problems:
        problems.append(_nothing(request))
    refuse(InvalidData, "prepare", problems)
    columns = request.columns or tuple(name for name in tables[0].schema.names if name not in request.keep)
    problems += [found for table in tables for found in _unfit(table, columns, request)]
    if not columns:
        problems.append(Problem("keep", request.keep, "leaves the model no column", "Keep fewer, or give columns."))
    refuse(InvalidData, "prepare", problems)
    kept = pa.schema([(name, types.get(name, tables[0].schema.field(name).type)) for name in request.keep])
    refuse(InvalidData, "prepare", (found for table in tables for found in _changed(table, kept, frozenset(types))))
    return Plan(tables, columns, kept)


def _types(request: PrepareRequest) -> tuple[dict[str, pa.DataType], list[Problem]]:
    types, problems = {}, []
    for name, text in request.types.items():
        if (kind := type_named(text)) is None:
            rule = f"is not among the types that kept columns can be given: {KNOWN}"
            problems.append(Problem(f"types[{name!r}]", text, rule, "Leave it out to keep the column as it is."))
        else:
            types[name] = kind
    return types, problems


# ------------------------------------------------------------------------------------------------ the objects


def _tables(store: ObjectStore, request: PrepareRequest) -> tuple[tuple[SourceTable, ...], list[Problem]]:
    """Find the objects and read their heads."""
    found: dict[S3Uri, StoredObject] = {}
    problems: list[Problem] = []
    for uri in request.source:
        listed = _listed(store, uri)
        if isinstance(listed, Problem):
            problems.append(listed)
        else:
            found |= {stored.uri: stored for stored in listed}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        looked = list(pool.map(partial(_look, store, request), found.values()))
    problems += [result for result in looked if isinstance(result, Problem)]
    return tuple(result for result in looked if isinstance(result, SourceTable)), problems


def _listed(store: ObjectStore, uri: S3Uri) -> list[StoredObject] | Problem:
    try:
        if not is_folder(uri):
            return [store.stat(uri)]
        return [stored for stored in store.objects(uri) if stored.size and _is_data(stored.uri.key[len(uri.key) :])]
    except StorageError as error:
        remedy = "Name an object that exists, or a folder with a slash at its end."
        return Problem("source", str(uri), f"cannot be read: {error.detail} ({error.code})", remedy)


def _is_data(path: str) -> bool:
    """Leave out what Spark and its like write beside tables, such as _SUCCESS and _temporary/."""
    return not any(step.startswith(("_", ".")) for step in path.split("/"))


def _look(store: ObjectStore, request: PrepareRequest, stored: StoredObject) -> SourceTable | Problem:
    name = stored.uri.name.lower()
    kind = request.format or next((kind for end, kind in FORMATS.items() if name.endswith(end)), None)
    if kind is None:
        rule = f"has a name that ends in none of {', '.join(FORMATS)}"
        return Problem("source", str(stored.uri), rule, "Give format=, or name the objects that are meant.")
    try:
        table = SourceTable(stored, kind, _SCHEMAS[kind](store, stored))
    except MalformedRecord as error:
        return Problem("source", str(stored.uri), error.detail, "Give what it is, or leave it out of the source.")
    return _other(table, request) or table


def _other(table: SourceTable, request: PrepareRequest) -> Problem | None:
    """Find a header that belongs to no CSV with commas, unless its first cell is a column that is asked for."""
    names = table.schema.names
    if table.format != "csv" or names[0] in (*(request.columns or ()), *request.keep):
        return None
    if (found := csv_records.looks_like(names)) is None:
        return None
    rule = f"looks like {found}, where CSV with commas and a header is read"
    remedy = "Convert it to CSV or Parquet, or name its first column in columns or keep if that is its name."
    return Problem("source", str(table.stored.uri), rule, remedy)


def _csv_schema(store: ObjectStore, stored: StoredObject) -> pa.Schema:
    names = csv_records.head(store, stored.uri)
    if not names:
        raise MalformedRecord("is empty, without even a header")
    return pa.schema([(name, pa.string()) for name in names])


_SCHEMAS = {"csv": _csv_schema, "parquet": parquet.schema_of}


def _nothing(request: PrepareRequest) -> Problem:
    source = [str(uri) for uri in request.source]
    return Problem("source", source, "holds no objects with rows", "Check the prefix, and that its data has arrived.")


# ------------------------------------------------------------------------------------------------ their columns


def _unfit(table: SourceTable, columns: tuple[str, ...], request: PrepareRequest) -> Iterator[Problem]:
    uri, names = str(table.stored.uri), table.schema.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield Problem(uri, twice, "has columns of the same name", "Rename them.")
        return
    needed = dict.fromkeys((*columns, *request.keep))
    if missing := [name for name in needed if name not in names]:
        yield Problem(uri, missing, f"has no such columns; it has {', '.join(names)}", _HEADER[table.format])
    if request.columns is None and (more := [name for name in names if name not in needed]):
        rule = "has columns that the first object has not"
        yield Problem(uri, more, rule, "Give columns=, so that it is clear what the model is sent.")
    for name in columns:
        if name in names and not csv_text.is_textual(kind := table.schema.field(name).type):
            remedy = "Leave it out of columns, or flatten it before."
            yield Problem(f"{uri}, column {name!r}", str(kind), "is a type that no CSV cell can hold", remedy)


_HEADER = {"csv": "The first line must be a header.", "parquet": "Check the spelling."}


def _changed(table: SourceTable, kept: pa.Schema, given: frozenset[str]) -> Iterator[Problem]:
    for field in kept:
        kind = table.schema.field(field.name).type
        if field.name not in given and kind != field.type:
            rule = f"is not the type that the first object has: {field.type}"
            remedy = f'Say which is meant: types={{"{field.name}": ...}}.'
            yield Problem(f"{table.stored.uri}, column {field.name!r}", str(kind), rule, remedy)
