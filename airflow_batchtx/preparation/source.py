"""Which objects rows are read from, and what is made of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import pyarrow as pa

from airflow_batchtx.errors import InvalidData, MalformedRecord, Problem, StorageError, refuse
from airflow_batchtx.preparation.columns import Column, can_become, filling
from airflow_batchtx.preparation.forms import Form, form_of
from airflow_batchtx.preparation.query import Queried, Query, queried
from airflow_batchtx.preparation.readers import READERS, Stored
from airflow_batchtx.preparation.request import COMPRESSIONS, DELIMITERS, FORMATS, PrepareRequest, is_folder
from airflow_batchtx.spec.arrow_names import KNOWN
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject
from airflow_batchtx.storage.tables import csv_records, jsonl_records
from airflow_batchtx.storage.tables.arrow_types import type_named
from airflow_batchtx.storage.tables.csv_dialect import Dialect

# Objects whose heads are read at once.
AT_ONCE = 8

Types: TypeAlias = Mapping[str, pa.DataType]


@dataclass(frozen=True, slots=True)
class SourceTable:
    """An object, how it is read, and its columns as it names them; a column of CSV is text."""

    how: Stored
    schema: pa.Schema

    @property
    def stored(self) -> StoredObject:
        """The object, as it was listed."""
        return self.how.object

    @property
    def name(self) -> str:
        """What it is called where something is wrong with it."""
        return str(self.stored.uri)

    @property
    def format(self) -> str:
        """One of FORMATS."""
        return self.how.format


Table: TypeAlias = "SourceTable | Queried"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read: tables in objects, or the rows of a query.

    `columns` are what the model is sent, in a `form`, `kept` what is kept aside; both by their new names. `types` are
    those that were asked for.
    """

    request: PrepareRequest
    form: Form
    tables: tuple[SourceTable, ...]
    columns: tuple[str, ...]
    kept: pa.Schema
    types: Types
    query: Queried | None = None

    @property
    def size(self) -> int:
        """How much there is to read: in bytes of objects, for a query in a measure of its own."""
        return sum(table.stored.size for table in self.tables) if self.query is None else self.query.size

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are needed, each once."""
        return tuple(dict.fromkeys((*self.columns, *self.kept.names)))

    def about(self, table: Table) -> tuple[Column, ...]:
        """Tell what is made of the columns of a table."""
        schema, asked, is_text = renamed(table.schema, self.request), self.request, table.format == "csv"
        types = {
            **{field.name: field.type for field in schema},
            **{one.name: one.type for one in self.kept},
            **self.types,
        }
        return tuple(
            Column(
                name=name,
                kind=types[name],
                blank=is_text and (name in self.types or name in asked.fill or name in asked.required),
                filling=filling(asked.fill[name], types[name]) if name in asked.fill else None,
                required=name in asked.required,
            )
            for name in self.names
        )


def plan(store: ObjectStore, request: PrepareRequest, query: Query | None = None) -> Plan:
    """Look at every object's head; InvalidData names everything that stands in the way of reading them all.

    The query of a request for one is handed in, and run.
    """
    types, problems = _types(request)
    if query is not None:
        refuse(InvalidData, "prepare", problems)
        rows = queried(query, {own_name(name, request): kind for name, kind in types.items()})
        columns, kept = _chosen((rows,), request, types, [])
        return Plan(request, form_of(request), (), columns, kept, types, rows)
    tables, unreadable = _tables(store, request, types)
    problems += unreadable
    if not tables and not problems:
        problems.append(_nothing(request))
    refuse(InvalidData, "prepare", problems)
    tables = _as_one(tables, request, types)
    columns, kept = _chosen(tables, request, types, problems)
    return Plan(request, form_of(request), tables, columns, kept, types)


def renamed(schema: pa.Schema, request: PrepareRequest) -> pa.Schema:
    """Give the columns of a table their new names."""
    return pa.schema([field.with_name(request.rename.get(field.name, field.name)) for field in schema])


def own_name(name: str, request: PrepareRequest) -> str:
    """Give the name that a column has in the source."""
    return next((old for old, new in request.rename.items() if new == name), name)


def _types(request: PrepareRequest) -> tuple[dict[str, pa.DataType], list[Problem]]:
    types, problems = {}, []
    for name, text in request.types.items():
        if (kind := type_named(text)) is None:
            rule = f"is not among the types that columns can be given: {KNOWN}"
            problems.append(Problem(f"types[{name!r}]", text, rule, "Leave it out to keep the column as it is."))
        else:
            types[name] = kind
    return types, problems


# ------------------------------------------------------------------------------------------------ the objects


def _tables(store: ObjectStore, request: PrepareRequest, types: Types) -> tuple[tuple[SourceTable, ...], list[Problem]]:
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
        looked = list(pool.map(partial(_look, store, request, types), found.values()))
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


def _look(store: ObjectStore, request: PrepareRequest, types: Types, stored: StoredObject) -> SourceTable | Problem:
    how = _how(request, types, stored)
    if how is None:
        rule = f"has a name that ends in none of {', '.join(FORMATS)}, {' or '.join(COMPRESSIONS)} behind it or not"
        return Problem("source", str(stored.uri), rule, "Give format=, or name the objects that are meant.")
    try:
        table = SourceTable(how, READERS[how.format].schema(store, how))
    except MalformedRecord as error:
        remedy = "Give what it is (format=, compression=), or leave it out of the source."
        return Problem("source", str(stored.uri), error.detail, remedy)
    return _other(table, request) or table


def _how(request: PrepareRequest, types: Types, stored: StoredObject) -> Stored | None:
    """Tell how an object is read, by what is asked for and by its name."""
    name = stored.uri.name.lower()
    packed = next((end for end in COMPRESSIONS if name.endswith(end)), "")
    ending = next((end for end in FORMATS if name.removesuffix(packed).endswith(end)), "")
    found = request.format or FORMATS.get(ending)
    if found is None:
        return None
    compression = request.compression or COMPRESSIONS.get(packed)
    return Stored(
        object=stored,
        format=found,
        compression=None if compression == "none" else compression,
        dialect=Dialect(
            request.delimiter or DELIMITERS.get(ending, ","), None if request.quote == "none" else request.quote
        ),
        header=request.header,
        names=request.names,
        given={own_name(name, request): kind for name, kind in types.items()},
        others=request.columns is not None,
    )


def _other(table: SourceTable, request: PrepareRequest) -> Problem | None:
    """Find a header that belongs to no CSV of the dialect, unless its first cell is a column that is asked for."""
    names = table.schema.names
    asked = (*(request.columns or ()), *request.keep, *request.rename)
    if table.format != "csv" or not request.header or names[0] in asked:
        return None
    dialect = table.how.dialect
    if (found := csv_records.looks_like(names, dialect)) is None:
        return None
    between = csv_records.SEPARATORS.get(dialect.delimiter, repr(dialect.delimiter))
    rule = f"looks like {found}, where CSV with {between} and a header is read"
    remedy = "Give delimiter= or format=, or name its first column in columns or keep if that is its name."
    return Problem("source", table.name, rule, remedy)


def _nothing(request: PrepareRequest) -> Problem:
    source = [str(uri) for uri in request.source]
    return Problem("source", source, "holds no objects with rows", "Check the prefix, and that its data has arrived.")


def _as_one(tables: tuple[SourceTable, ...], request: PrepareRequest, types: Types) -> tuple[SourceTable, ...]:
    """Give JSON objects the columns of each other: what one of them leaves out is null there, and 1 may be 1.0."""
    json = [table for table in tables if table.format == "jsonlines"]
    asked = {own_name(name, request) for name in (*(request.columns or ()), *request.keep)} | request.rename.keys()
    given = {own_name(name, request): kind for name, kind in types.items() if jsonl_records.is_scalar(kind)}
    kinds = {name: kind for name, kind in given.items() if name in asked}
    for field in (field for table in json for field in table.schema):
        kinds[field.name] = _wider(kinds.get(field.name, field.type), field.type)
    more = {name: kind for name, kind in kinds.items() if name in asked}
    return tuple(
        replace(table, schema=_with(table.schema, kinds, more)) if table in json else table for table in tables
    )


def _with(schema: pa.Schema, kinds: Types, more: Types) -> pa.Schema:
    known = {field.name: _wider(field.type, kinds[field.name]) for field in schema}
    return pa.schema([*known.items(), *((name, kind) for name, kind in more.items() if name not in known)])


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Give the type that holds both, the first if there is none."""
    pair = {one, other}
    if pair == {pa.int64(), pa.float64()}:
        return pa.float64()
    return other if one == pa.null() else one


# ------------------------------------------------------------------------------------------------ their columns


def _chosen(
    tables: Sequence[Table], request: PrepareRequest, types: Types, problems: list[Problem]
) -> tuple[tuple[str, ...], pa.Schema]:
    """Choose what is sent and what is kept; InvalidData names everything that is wrong with it."""
    first = renamed(tables[0].schema, request)
    columns = request.columns or tuple(name for name in first.names if name not in request.keep)
    problems += [found for table in tables for found in _unfit(table, columns, request)]
    if not columns:
        problems.append(Problem("keep", request.keep, "leaves the model no column", "Keep fewer, or give columns."))
    refuse(InvalidData, "prepare", problems)
    refuse(InvalidData, "prepare", _strangers((*columns, *request.keep), request))
    refuse(InvalidData, "prepare", [found for table in tables for found in _mistyped(table, columns, request, types)])
    kept = pa.schema([(name, types.get(name, first.field(name).type)) for name in request.keep])
    refuse(InvalidData, "prepare", (found for table in tables for found in _changed(table, kept, request, types)))
    return columns, kept


def _strangers(needed: Iterable[str], request: PrepareRequest) -> Iterator[Problem]:
    used = frozenset(needed)
    for option in ("types", "fill", "required"):
        if strangers := [name for name in getattr(request, option) if name not in used]:
            yield Problem(option, strangers, f"names no such columns; there are {', '.join(sorted(used))}", _SPELLING)


def _unfit(table: Table, columns: tuple[str, ...], request: PrepareRequest) -> Iterator[Problem]:
    schema = renamed(table.schema, request)
    uri, names = table.name, schema.names
    if missing := [name for name in request.rename if name not in table.schema.names]:
        yield Problem(uri, missing, f"has no such columns to rename; it has {', '.join(table.schema.names)}", _SPELLING)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield Problem(uri, twice, "has columns of the same name", "Rename them.")
        return
    needed = dict.fromkeys((*columns, *request.keep))
    if missing := [name for name in needed if name not in names]:
        yield Problem(
            uri, missing, f"has no such columns; it has {', '.join(names)}", _HEADER.get(table.format, _SPELLING)
        )
    if request.columns is None and (more := [name for name in names if name not in needed]):
        rule = "has columns that the first object has not"
        yield Problem(uri, more, rule, "Give columns=, so that it is clear what the model is sent.")


_SPELLING = "Check the spelling."
_HEADER: Mapping[str, str] = {"csv": "The first line must be a header, or header=False and names= be given."}


def _mistyped(table: Table, columns: tuple[str, ...], request: PrepareRequest, types: Types) -> Iterator[Problem]:
    """Find columns that cannot become what they should, and what cannot stand for their nulls."""
    form, schema = form_of(request), renamed(table.schema, request)
    for name in dict.fromkeys((*columns, *request.keep)):
        given = schema.field(name).type
        kind, where = types.get(name, given), f"{table.name}, column {name!r}"
        if not can_become(given, kind):
            yield Problem(where, str(given), f"cannot become {kind}", "Give it another type, or none.")
        if name in columns and not form.can_hold(kind):
            rule, remedy = f"is a type that no {form.cell} can hold", "Leave it out of columns, or flatten it before."
            yield Problem(where, str(kind), rule, remedy)
        if name in request.fill and filling(request.fill[name], kind) is None:
            rule = f"is no {kind}, as the column is in {table.name}"
            yield Problem(f"fill[{name!r}]", request.fill[name], rule, "Give a value of the column's type.")


def _changed(table: Table, kept: pa.Schema, request: PrepareRequest, types: Types) -> Iterator[Problem]:
    schema = renamed(table.schema, request)
    for field in kept:
        kind = schema.field(field.name).type
        if field.name not in types and kind != field.type:
            rule = f"is not the type that the first object has: {field.type}"
            remedy = f'Say which is meant: types={{"{field.name}": ...}}.'
            yield Problem(f"{table.name}, column {field.name!r}", str(kind), rule, remedy)
