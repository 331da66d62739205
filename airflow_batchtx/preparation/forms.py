"""How rows are written for a model: by the media type that it is sent, and by how a record of it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from airflow_batchtx.preparation.request import CSV, JSON_LINES, PrepareRequest, written_as
from airflow_batchtx.storage.tables import csv_text, jsonl_text


@dataclass(frozen=True, slots=True)
class Unfit:
    """A cell that cannot be sent to a model: its row in the batch, from 0, its column, what it holds, and why."""

    row: int
    column: str
    value: object
    rule: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A text of one line a row.

    `ending` is that of the shards' names, `cell` says what a value stands in, `can_hold` which Arrow types that takes.
    `lines` writes a batch, but None of one that holds values which it does not take: `unfit` finds those.
    """

    ending: str
    cell: str
    can_hold: Callable[[pa.DataType], bool]
    unfit: Callable[[pa.RecordBatch], Iterator[Unfit]]
    lines: Callable[[pa.RecordBatch], pa.Buffer | None]


def form_of(request: PrepareRequest) -> Form:
    """Give the form that rows are written in."""
    return _FORMS[written_as(request.content_type) or CSV](request)


def _csv(_: PrepareRequest) -> Form:
    return Form(ending="csv", cell="CSV cell", can_hold=csv_text.is_textual, unfit=_line_breaks, lines=_csv_lines)


def _json_lines(request: PrepareRequest) -> Form:
    return Form(
        ending="jsonl",
        cell="JSON value",
        can_hold=jsonl_text.can_hold,
        unfit=_not_numbers,
        lines=partial(_json_lines_of, request.record),
    )


_FORMS: Mapping[str, Callable[[PrepareRequest], Form]] = {CSV: _csv, JSON_LINES: _json_lines}


def _csv_lines(batch: pa.RecordBatch) -> pa.Buffer | None:
    plain = csv_text.plain_lines(batch)
    if plain is not None or next(csv_text.line_breaks(batch), None):
        return plain
    return csv_text.quoted_lines(batch)


def _json_lines_of(record: str, batch: pa.RecordBatch) -> pa.Buffer | None:
    return None if next(jsonl_text.not_numbers(batch), None) else jsonl_text.lines(batch, record)


def _line_breaks(batch: pa.RecordBatch) -> Iterator[Unfit]:
    rule, remedy = "holds a line break, at which SageMaker cuts", "Replace it, or keep the column aside."
    return (Unfit(row, column, text, rule, remedy) for row, column, text in csv_text.line_breaks(batch))


def _not_numbers(batch: pa.RecordBatch) -> Iterator[Unfit]:
    rule, remedy = "is no number that JSON has", "Make a null of it, or keep the column aside."
    return (Unfit(row, column, number, rule, remedy) for row, column, number in jsonl_text.not_numbers(batch))
