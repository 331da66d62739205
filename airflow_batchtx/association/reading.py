"""How a job's rows and answers are read: decided once for all its pairs, then done for one pair after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from airflow_batchtx.association import answers, rows
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import InvalidInput, Problem, RowCountMismatch, refuse
from airflow_batchtx.storage.port import ObjectStore


@dataclass(frozen=True, slots=True)
class Reading:
    """What comes of reading any pair of a job.

    `known` is the schema of what is known of a row. `columns` names what was read beside it, each with the type that it
    must have, None for the narrowest that holds it; `predictions` are those of them that the model gave.
    """

    known: pa.Schema
    columns: Mapping[str, str | None]
    predictions: tuple[str, ...]


class Joined(NamedTuple):
    """Rows and their answers, in batches of equal length. `dead` are rows that have none, with the reason.

    Columns of `answers` have the types that `narrowing` tells kinds of values by.
    """

    known: pa.RecordBatch
    answers: pa.RecordBatch
    dead: pa.RecordBatch | None = None


def planned(store: ObjectStore, request: AssociateRequest, paired: tuple[Pair, ...]) -> Reading:
    """Decide how to read all pairs of a job; InvalidInput names everything that does not fit what is there."""
    kept = paired[0].kept
    known = rows.UNPREPARED if kept is None else rows.kept_schema(store, kept)
    count = answers.width(store, paired) or len(request.predictions or ("prediction",))
    names = ("prediction",) if count == 1 else tuple(f"prediction_{index}" for index in range(count))
    columns = dict.fromkeys(names) if request.predictions is None else request.predictions
    refuse(InvalidInput, "associate", _unfit(known, tuple(columns), count))
    return Reading(known, columns, tuple(columns))


def _unfit(known: pa.Schema, names: tuple[str, ...], count: int) -> Iterator[Problem]:
    if len(names) != count:
        rule = f"names {len(names)} columns, the model gives {count}"
        yield Problem("predictions", names, rule, "Name each of them.")
    if both := sorted(set(names) & set(known.names)):
        yield Problem("predictions", both, "is the name of a kept column too", "Give predictions= other names.")


def answered(store: ObjectStore, pair: Pair, reading: Reading) -> Iterator[Joined]:
    """Yield the rows of an input and their answers, as text, in batches of equal length.

    RowCountMismatch says that there are more or fewer answers than rows, AssociationError that one cannot be read.
    """
    expected = rows.lines(store, pair.source) if pair.rows is None else pair.rows
    known = _Cursor(_known(store, pair, expected, reading.known))
    count = 0
    records = answers.records(store, pair, tuple(reading.columns))
    for batch in records:
        count += batch.num_rows
        if count > expected:
            break
        yield from known.beside(batch)
    if count != expected:
        count += sum(batch.num_rows for batch in records)
        detail = f"has {count} answers to the {expected} rows of {pair.source}"
        raise RowCountMismatch(str(pair.answers.uri), detail, rows_in=expected, rows_out=count)


def _known(store: ObjectStore, pair: Pair, count: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    return rows.numbered(pair.source, count) if pair.kept is None else rows.kept(store, pair.kept, count, schema)


class _Cursor:
    """Takes rows from batches of other lengths."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches, self._start = batches, 0
        self._held: pa.RecordBatch | None = None

    def beside(self, answers: pa.RecordBatch) -> Iterator[Joined]:
        start = 0
        while start < answers.num_rows:
            rows = self._take(answers.num_rows - start)
            yield Joined(rows, answers.slice(start, rows.num_rows))
            start += rows.num_rows

    def _take(self, most: int) -> pa.RecordBatch:
        while self._held is None or self._start == self._held.num_rows:
            self._held, self._start = next(self._batches), 0
        taken = self._held.slice(self._start, most)
        self._start += taken.num_rows
        return taken
