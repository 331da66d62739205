"""The rows of the source: streamed, with the model's columns and the kept ones apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from airflow_batchtx.errors import InvalidData, MalformedRecord, Problem
from airflow_batchtx.preparation.source import Plan, SourceTable
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables import csv_records, csv_text, parquet
from airflow_batchtx.storage.tables.streams import spooled

# How many wrong cells are named.
MOST = 10
_MEND = "Mend the object, or leave it out of the source."


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive rows of one object; `first` counts its rows from 1.

    `begin` and `end` tell how far the whole source is read, in bytes as they lie in S3, before and after them.
    """

    uri: str
    first: int
    model: pa.RecordBatch
    kept: pa.RecordBatch | None
    begin: int
    end: int

    def __len__(self) -> int:
        """Count them."""
        return self.model.num_rows

    def slice(self, start: int, stop: int) -> Rows:
        """Take some of them, from `start` up to `stop`."""
        count = stop - start
        kept = None if self.kept is None else self.kept.slice(start, count)
        return replace(self, first=self.first + start, model=self.model.slice(start, count), kept=kept)


def rows(store: ObjectStore, plan: Plan) -> Iterator[Rows]:
    """Yield all rows in order; InvalidData names the object, the row and the column of what cannot be prepared."""
    before = 0
    for table in plan.tables:
        for part in _of_one(store, plan, table):
            yield replace(part, begin=before + part.begin, end=before + part.end)
        before += table.stored.size


def _of_one(store: ObjectStore, plan: Plan, table: SourceTable) -> Iterator[Rows]:
    begin, seen, uri = 0, 0, str(table.stored.uri)
    needed = list(dict.fromkeys((*plan.columns, *plan.kept.names)))
    for batch, done in _READERS[table.format](store, table, needed):
        kept = _kept(batch, plan.kept, partial(_cell, uri, seen), blank_is_null=table.format == "csv")
        end = min(done, table.stored.size)
        if batch.num_rows:
            yield Rows(uri, seen + 1, batch.select(list(plan.columns)), kept, begin, end)
        begin, seen = end, seen + batch.num_rows


def _cell(uri: str, before: int, index: int, name: str) -> str:
    return f"{uri}, row {before + index + 1}, column {name!r}"


# ------------------------------------------------------------------------------------------- one object's batches


def _csv(store: ObjectStore, table: SourceTable, columns: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
    uri = table.stored.uri
    with store.reader(uri) as source:
        try:
            for number, batch in enumerate(csv_records.batches(source, columns, header=True), 1):
                yield batch, number * csv_records.BLOCK
        except pa.ArrowInvalid as error:
            raise InvalidData("prepare", _damages(store, table, columns, error)) from error


def _damages(store: ObjectStore, table: SourceTable, columns: list[str], error: Exception) -> tuple[Problem, ...]:
    uri = table.stored.uri
    return tuple(
        Problem(
            str(uri)
            + (f", row {damage.record}" if damage.record else "")
            + (f", column {damage.column!r}" if damage.column else ""),
            damage.value,
            damage.rule,
            _MEND,
        )
        for damage in csv_records.damages(store, uri, columns, header=True, cause=error)
    )


def _parquet(store: ObjectStore, table: SourceTable, columns: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
    with spooled(store, table.stored.uri) as file:
        try:
            total, seen = parquet.row_count(file), 0
            for batch in parquet.batches(file, columns):
                seen += batch.num_rows
                yield batch, table.stored.size * seen // total
        except MalformedRecord as error:
            uri = str(table.stored.uri)
            raise InvalidData("prepare", (Problem("source", uri, error.detail, _MEND),)) from error


_READERS = {"csv": _csv, "parquet": _parquet}


# ----------------------------------------------------------------------------------------------- the kept columns


def _kept(batch: pa.RecordBatch, schema: pa.Schema, cell: Any, *, blank_is_null: bool) -> pa.RecordBatch | None:
    arrays = []
    for field in schema:
        column: Any = batch.column(field.name)
        if column.type != field.type and blank_is_null:
            column = csv_text.blanks_as_nulls(column)
        arrays.append(_cast(column, field, cell))
    return pa.RecordBatch.from_arrays(arrays, schema=schema) if arrays else None


def _cast(column: Any, field: Any, cell: Any) -> Any:
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        wrong = [index for index in range(len(column)) if not _fits(column.slice(index, 1), field.type)]
        remedy = "Mend the data, or give the column another type."
        problems = (
            Problem(cell(index, field.name), column[index].as_py(), f"is no {field.type}", remedy)
            for index in wrong[:MOST]
        )
        raise InvalidData("prepare", tuple(problems)) from error


def _fits(cell: Any, kind: pa.DataType) -> bool:
    try:
        cell.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


# ---------------------------------------------------------------------------------------------- the model's lines


def lines(part: Rows) -> pa.Buffer | bytes:
    """Write the model's columns, a line for each row; InvalidData names a cell that goes over several lines."""
    plain = csv_text.plain_lines(part.model)
    if plain is not None:
        return plain
    rule, remedy = "holds a line break, at which SageMaker cuts", "Replace it, or keep the column aside."
    problems = tuple(
        Problem(_cell(part.uri, part.first - 1, index, name), text, rule, remedy)
        for index, name, text in csv_text.line_breaks(part.model)
    )
    if problems:
        raise InvalidData("prepare", problems[:MOST])
    return csv_text.quoted_lines(part.model)
