"""Rows that have no place in the table, kept beside it with the reason: in Parquet, whatever the table is in."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.reading import Reading
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.association.table import Layout, PartWriter
from airflow_batchtx.association.writing import DEAD_LETTER
from airflow_batchtx.errors import Problem, TooManyDeadLetters
from airflow_batchtx.spec.associated import AssociatedManifest, Part
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.integers import integers
from airflow_batchtx.storage.tables.texts import repeated

if TYPE_CHECKING:
    from typing_extensions import Self

# Beside what is known of a row: the input object, its place in it from 1, why it is here, and what the model answered.
_TOLD: Any = [("_input", pa.string()), ("_record", pa.int64()), ("_reason", pa.string()), ("_answer", pa.string())]
TOLD = pa.schema(_TOLD)
FORMAT = "parquet"


def can_be(request: AssociateRequest) -> bool:
    """Tell whether any row may turn out to be dead."""
    return bool(request.max_dead or request.error_member or request.on_missing == DEAD_LETTER)


def clashes(request: AssociateRequest, known: pa.Schema) -> Iterator[Problem]:
    """Find columns that the dead letters could not have beside their own."""
    if can_be(request) and (both := sorted(set(known.names) & set(TOLD.names))):
        yield Problem("result", both, "is what dead letters call a column of their own", "Keep it by another name.")


def refuse_too_many(request: AssociateRequest, table: AssociatedManifest) -> None:
    """Raise TooManyDeadLetters where there are more than the request allows."""
    total = table.rows + table.dead_rows
    if not request.max_dead.allows(table.dead_rows, total):
        raise TooManyDeadLetters(str(request.dead_letters), table.dead_rows, total, str(request.max_dead))


def unanswered(store: ObjectStore, pair: Pair, reading: Reading) -> Iterator[pa.RecordBatch]:
    """Yield all rows of a pair that has no output, as `DeadLetters` takes them."""
    first, reason = 1, pair.unanswered or ""
    for rows in reading.rows.batches(store, pair):
        read = [rows.column(name).cast(pa.string()) for name in reading.rows.columns]
        numbers = integers(range(first, first + rows.num_rows))
        told = [numbers, repeated(reason, rows.num_rows), pa.nulls(rows.num_rows, pa.string())]
        columns = [*rows.select(reading.known.names).columns, *read, *told]
        yield pa.RecordBatch.from_arrays(columns, names=list(map(str, range(len(columns)))))
        first += rows.num_rows


class DeadLetters:
    """The dead rows of one pair: an object that is only there if there are any.

    They come as what is known of them, and behind that their number, the reason and the answer.
    """

    def __init__(self, layout: Layout, known: pa.Schema) -> None:
        self._layout, self._known = layout, known
        self._part: PartWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._part:
            self._part.__exit__(kind, error, trace)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The object, if there is one."""
        return self._part.parts if self._part else ()

    def write(self, rows: pa.RecordBatch) -> None:
        """Take a batch."""
        if not rows.num_rows:
            return
        schema = pa.schema([*self._known, *TOLD])
        if self._part is None:
            self._part = PartWriter(self._layout, schema).__enter__()
        *known, number, reason, answer = rows.columns
        # Of a row without any answer not even the cells of its input were read.
        known += [pa.nulls(rows.num_rows, field.type) for field in [*self._known][len(known) :]]
        source = repeated(str(self._layout.pair.source), rows.num_rows)
        columns = [*known, source, number, reason, answer]
        self._part.write(pa.RecordBatch.from_arrays(columns, schema=schema))
