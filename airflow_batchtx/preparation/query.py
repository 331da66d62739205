"""The rows of a database query, as those of any other source."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time
from itertools import chain
from typing import Any, ClassVar, Protocol
from uuid import UUID

import pyarrow as pa

from airflow_batchtx.errors import InvalidData, Problem, refuse
from airflow_batchtx.storage.tables.arrow_types import zone_of
from airflow_batchtx.storage.tables.chunks import Chunk, Damage

# Rows that are fetched at once; by the first of them a column has its type.
FETCH = 10_000
# What the driver gives, as what Arrow takes.
_PLAIN: Mapping[type, Any] = {UUID: str, memoryview: bytes, bytearray: bytes}
_UNCERTAIN = (pa.ArrowException, OverflowError, TypeError, ValueError)

Values = Sequence[Sequence[Any]]


class Query(Protocol):
    """A query that is run when its rows are asked for, once."""

    def rows(self, size: int) -> Iterator[Values]:
        """Yield rows, so many at once, in the order in which the database gives them."""
        ...

    def names(self) -> tuple[str, ...]:
        """Name the columns, once the first rows were asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Queried:
    """A query whose first rows are known, and by them its columns. Its rows are read once."""

    schema: pa.Schema
    first: Values
    rest: Iterator[Values]
    name: ClassVar[str] = "sql"
    format: ClassVar[str] = "sql"
    # How far it is read is measured in parts of this, since nobody knows how many rows there will be.
    size: ClassVar[int] = 2**40

    def chunks(self) -> Iterator[Chunk]:
        """Yield its rows, those apart that have not the types of the first ones.

        All of them go to a temporary file first (TMPDIR says where): the database is not kept waiting, and how many
        rows there are is known.
        """
        with tempfile.TemporaryFile() as file:
            numbered = self.schema.append(pa.field("", pa.int64()))
            count = 0
            with pa.ipc.new_stream(file, numbered) as sink:
                for values in chain((self.first,), self.rest):
                    chunk = _chunk(values, self.schema, count)
                    count += len(values)
                    if chunk.damaged:
                        yield Chunk(chunk.batch.slice(0, 0), (), 0, chunk.damaged)
                    sink.write_batch(_beside(chunk.batch, pa.array(chunk.numbers, pa.int64()), numbered))
            file.seek(0)
            seen = 0
            with pa.ipc.open_stream(file) as source:
                for batch in source:
                    last: Any = batch.column(batch.num_columns - 1)
                    numbers: list[int] = last.to_pylist()
                    seen = numbers[-1] if numbers else seen
                    yield Chunk(_without_last(batch), numbers, self.size * seen // max(count, 1))


def queried(query: Query, given: Mapping[str, pa.DataType]) -> Queried:
    """Run a query, and find its columns by the first rows; InvalidData names those that no column can hold.

    Where all of the first rows have a null, the type of a column is the one that is `given`, if any.
    """
    rest = query.rows(FETCH)
    first = [tuple(map(_plain, row)) for row in next(rest, ())]
    names = query.names()
    if not names:
        refuse(InvalidData, "prepare", (Problem("sql", "", "gives no rows", "Give a query that selects columns."),))
    if first and len(first[0]) != len(names):
        # A driver whose rows are mappings has one value for columns of the same name.
        rule = f"has {len(names)} columns, but its rows have {len(first[0])} values"
        refuse(InvalidData, "prepare", (Problem("sql", names, rule, "Give each column a name of its own."),))
    columns = list(zip(*first, strict=True)) or [()] * len(names)
    kinds = [_kind(values, given.get(name, pa.null())) for name, values in zip(names, columns, strict=True)]
    found = [(name, kind) for name, kind in zip(names, kinds, strict=True) if kind is not None]
    unknown = [at for at, kind in enumerate(kinds) if kind is None]
    refuse(InvalidData, "prepare", (_strange(names[at], columns[at]) for at in unknown))
    return Queried(pa.schema(found), first, ([tuple(map(_plain, row)) for row in rows] for rows in rest))


def _strange(name: str, values: Sequence[Any]) -> Problem:
    found = next(value for value in values if value is not None)
    rule = f"gives values of Python's type {type(found).__name__}, which no column can hold"
    return Problem(f"sql, column {name!r}", str(found), rule, "Cast it to another type in the query.")


def _plain(value: Any) -> Any:
    make = _PLAIN.get(type(value))
    return value if make is None else make(value)


def _kind(values: Sequence[Any], of_nulls: pa.DataType) -> pa.DataType | None:
    """Find the type of most values; None if there is none for them."""
    families = Counter(type(value) for value in values if value is not None)
    if not families:
        return of_nulls
    most = families.most_common(1)[0][0]
    for sample in (values, [value for value in values if type(value) is most]):
        with suppress(*_UNCERTAIN):
            return _widened(_inferred(sample))
    return None


def _inferred(sample: Sequence[Any]) -> pa.DataType:
    infer: Any = pa.infer_type
    found: pa.DataType = infer(sample)
    return found


def _widened(kind: pa.DataType) -> pa.DataType | None:
    """Leave room for other values of the kind than the first ones."""
    if pa.types.is_decimal(kind):
        return pa.decimal128(38, kind.scale) if kind.precision <= 38 else pa.decimal256(76, kind.scale)
    if pa.types.is_timestamp(kind) and kind.tz:
        return pa.timestamp("us", "UTC")
    return None if pa.types.is_nested(kind) else kind


def _chunk(values: Values, schema: pa.Schema, before: int) -> Chunk:
    """Make columns of rows that come after so many others."""
    try:
        columns = list(zip(*values, strict=True)) or [()] * len(schema)
        batch = _batch(columns, schema)
        return Chunk(batch, range(before + 1, before + len(values) + 1), 0)
    except _UNCERTAIN:
        whole: list[Sequence[Any]] = []
        numbers, damaged = [], []
        for number, row in enumerate(values, before + 1):
            if (damage := _damage(row, schema, number)) is not None:
                damaged.append(damage)
            else:
                whole.append(row)
                numbers.append(number)
        return Chunk(_batch(list(zip(*whole, strict=True)) or [()] * len(schema), schema), numbers, 0, tuple(damaged))


def _batch(columns: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [_array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], kind: pa.DataType) -> Any:
    if any(holds(kind) and any(map(strange, values)) for holds, strange in _LOST):
        raise ValueError("a time of day or a zone, which the column has not, or has")
    return pa.array(values, kind)


# What Arrow would drop of a value, or put to it, without a word.
_LOST: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], bool]], ...] = (
    (pa.types.is_date, lambda value: isinstance(value, datetime)),
    (pa.types.is_time, lambda value: isinstance(value, time) and value.tzinfo is not None),
    (lambda kind: zone_of(kind) == "", lambda value: isinstance(value, datetime) and value.tzinfo is not None),
    (lambda kind: bool(zone_of(kind)), lambda value: isinstance(value, datetime) and value.tzinfo is None),
)


def _damage(row: Sequence[Any], schema: pa.Schema, number: int) -> Damage | None:
    for value, field in zip(row, schema, strict=True):
        if not _fits(value, field.type):
            text = json.dumps(dict(zip(schema.names, row, strict=True)), default=str, ensure_ascii=False)
            rule = _RULES.get(field.type, f"is no {field.type}, as the first rows are")
            return Damage(rule, value, number, field.name, text)
    return None


_RULES: Mapping[pa.DataType, str] = {
    pa.null(): "is a value where the first rows have none, so that its type is not known; types= can tell it"
}


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        _array((value,), kind)
    except _UNCERTAIN:
        return False
    return True


def _beside(batch: pa.RecordBatch, numbers: Any, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)


def _without_last(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(batch.columns[:-1], names=batch.schema.names[:-1])
