"""The table's columns and their types: those that are asked for, or the narrowest that hold every value of the job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from airflow_batchtx.association import dead_letters
from airflow_batchtx.association.narrowing import arrow_type, held, taken
from airflow_batchtx.association.reading import Reading
from airflow_batchtx.association.request import TYPES, AssociateRequest
from airflow_batchtx.errors import InvalidInput, Problem, TypeTooNarrow, refuse
from airflow_batchtx.storage.tables.csv_text import is_textual
from airflow_batchtx.storage.tables.sinks import FORMATS


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of a row, and what was read beside it, with its types so far.

    A member that marks refused records is read, and is no column of the table.
    """

    reading: Reading
    kinds: Mapping[str, str]

    @property
    def schema(self) -> pa.Schema:
        """Arrow's schema of the table."""
        read = [pa.field(name, arrow_type(kind)) for name, kind in self.kinds.items()]
        return pa.schema([pa.field(field.name, field.type) for field in self.reading.known] + read)

    @property
    def dead(self) -> pa.Schema:
        """What is known of a row that is not in the table."""
        return pa.schema([*self.reading.known, *(pa.field(name, pa.string()) for name in self.beside)])

    @property
    def given(self) -> frozenset[str]:
        """The columns whose type the request says."""
        return frozenset(name for name, kind in self.reading.columns.items() if kind)

    @property
    def numbers(self) -> frozenset[str]:
        """The columns that have turned out to be doubles, or have to be."""
        return frozenset(name for name, kind in self.kinds.items() if kind == "double")

    @property
    def predictions(self) -> tuple[str, ...]:
        """The columns that the model gave."""
        return tuple(name for name in self.reading.predictions if name in self.kinds)

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns that were read of the input itself."""
        return tuple(name for name in self.reading.columns if name not in self.reading.predictions)

    def typed(self, answers: pa.RecordBatch) -> dict[str, Any]:
        """Give what was read in its types, None for a column whose type does not hold every value."""
        given = self.given
        return {
            name: (taken if name in given else held)(answers.column(name), kind) for name, kind in self.kinds.items()
        }

    def wider(self, narrow: TypeTooNarrow) -> Columns:
        """Give columns of the types that values turned out to need; raise the error where a type was asked for."""
        if self.given & narrow.needed.keys():
            raise narrow
        return replace(self, kinds={**self.kinds, **narrow.needed})


def columns_of(request: AssociateRequest, reading: Reading) -> Columns:
    """Begin with the narrowest types; InvalidInput names everything that stands in the way of writing such a table."""
    # CSV is written as it was read: the input's own cells are no predictions, whose types a reader would be told.
    plain = "string" if request.format == "csv" else TYPES[0]
    kinds = {
        name: kind or (TYPES[0] if name in reading.predictions else plain)
        for name, kind in reading.columns.items()
        if name != request.error_member
    }
    columns = Columns(reading, kinds)
    problems = [*_unfit(request, reading.known), *_unparted(request, columns.schema), *_unagreed(request, columns)]
    refuse(InvalidInput, "associate", [*problems, *dead_letters.clashes(request, columns.dead)])
    return columns


def _unfit(request: AssociateRequest, known: pa.Schema) -> Iterator[Problem]:
    form = FORMATS[request.format]
    for field in known:
        if not form.holds(field.type):
            rule = f"is {field.type}, which {form.strange}"
            yield Problem("format", field.name, rule, "Write Parquet, or do not keep the column.")


def _unparted(request: AssociateRequest, schema: pa.Schema) -> Iterator[Problem]:
    if missing := [name for name in request.partition_by if name not in schema.names]:
        rule = f"is no column of the table, which has {', '.join(schema.names)}"
        yield Problem("partition_by", missing, rule, "Name columns that are kept, or that the model gives.")
    elif len(request.partition_by) == len(schema.names):
        remedy = "Leave one column for the objects in the folders."
        yield Problem("partition_by", list(request.partition_by), "names all columns", remedy)
    for name in request.partition_by:
        if name in schema.names and not is_textual(kind := schema.field(name).type):
            yield Problem("partition_by", name, f"is {kind}, which no folder can be named by", "Choose another column.")


def _unagreed(request: AssociateRequest, columns: Columns) -> Iterator[Problem]:
    found = [name for name, kind in columns.kinds.items() if name not in columns.given and kind != "string"]
    if request.share and found:
        rule = "have no types, which shares could not agree on: none of them sees all values"
        remedy = 'Give predictions= types. Cells of input_columns have one where it is prepared, or with format="csv".'
        yield Problem("share", found, rule, remedy)
