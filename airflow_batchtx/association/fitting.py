"""Rows in the table's types, and those that have no place in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.association.columns import Columns
from airflow_batchtx.association.narrowing import first_beyond, misfits, narrowest
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.reading import Joined
from airflow_batchtx.association.request import TYPES, AssociateRequest
from airflow_batchtx.errors import AssociationError, TypeTooNarrow
from airflow_batchtx.storage.tables import jsonl_text
from airflow_batchtx.storage.tables.integers import integers
from airflow_batchtx.storage.tables.texts import column_of

# What a member holds that says of no record that it was refused; so does a null.
_WELL = "^([Ff]alse)?$"


class Fitted(NamedTuple):
    """Rows of the table, and dead ones if there are any: known, and their number, the reason, the answer."""

    rows: pa.RecordBatch
    dead: pa.RecordBatch | None


@dataclass(slots=True)
class Fitting:
    """Fits the batches of one pair, in their order."""

    request: AssociateRequest
    pair: Pair
    columns: Columns
    seen: int = 0

    def __call__(self, joined: Joined) -> Fitted:
        """Give a batch its types. TypeTooNarrow says that a column needs others, AssociationError that none will do."""
        numbers = range(self.seen + 1, self.seen + joined.answers.num_rows + 1)
        self.seen += len(numbers)
        reasons = self._refused(joined.answers)
        live = _Live.of(joined, reasons)
        typed = self.columns.typed(live.answers)
        if found := self._misfits(live.answers, typed):
            reasons |= {live.places[index]: reason for index, reason in found.items()}
            live = _Live.of(joined, reasons)
            typed = self.columns.typed(live.answers)
        if narrow := [name for name, column in typed.items() if column is None]:
            raise self._narrow(live, narrow, numbers)
        rows = pa.RecordBatch.from_arrays([*live.known.columns, *typed.values()], schema=self.columns.schema)
        if self.request.format == "jsonlines":
            self._refuse_odd(rows, live, numbers)
        return Fitted(rows, _dead(joined, reasons, numbers, self.columns) if reasons else None)

    def _refused(self, answers: pa.RecordBatch) -> dict[int, str]:
        """Give the rows that the model refused, by their place, and what it said of them."""
        name = self.request.error_member
        if name is None or name not in answers.schema.names:
            return {}
        words = answers.column(name).cast(pa.string())
        places: Any = pc.indices_nonzero(pc.invert(pc.match_substring_regex(words, _WELL))).to_pylist()
        return {place: f"{name}: {words[place].as_py()}" for place in places}

    def _misfits(self, answers: pa.RecordBatch, typed: Mapping[str, Any]) -> dict[int, str]:
        """Find values that are not of a type that was asked for, where such rows may be set aside."""
        if not self.request.max_dead:
            return {}
        kinds = {name: self.columns.kinds[name] for name in self.columns.given & typed.keys() if typed[name] is None}
        return {
            index: f"{name} = {value!r} is no {kind}"
            for name, kind in sorted(kinds.items())
            for index, value in misfits(answers.column(name), kind)
        }

    def _narrow(self, live: _Live, names: Sequence[str], numbers: Sequence[int]) -> TypeTooNarrow:
        kinds, given = self.columns.kinds, self.columns.given
        asked = [name for name in names if name in given]
        name = next(iter(asked or names))
        column = live.answers.column(name)
        index, value = next(misfits(column, kinds[name])) if asked else first_beyond(column, kinds[name])
        needed = {name: narrowest(live.answers.column(name), _found(kinds[name])) for name in names}
        record = numbers[live.places[index]]
        return TypeTooNarrow(str(self.pair.answers.uri), f"{name} = {value!r} is no {kinds[name]}", record, needed)

    def _refuse_odd(self, rows: pa.RecordBatch, live: _Live, numbers: Sequence[int]) -> None:
        for index, name, value in jsonl_text.not_numbers(rows):
            detail = f"{name} = {value} is a number that JSON has not: write Parquet or CSV"
            raise AssociationError(str(self.pair.answers.uri), detail, numbers[live.places[index]])


class _Live(NamedTuple):
    """Rows with answers, and the places that they had in their batch."""

    known: pa.RecordBatch
    answers: pa.RecordBatch
    places: Sequence[int]

    @classmethod
    def of(cls, joined: Joined, dead: Mapping[int, str]) -> _Live:
        places: Sequence[int] = range(joined.answers.num_rows)
        if not dead:
            return cls(joined.known, joined.answers, places)
        places = [place for place in places if place not in dead]
        return cls(_taken(joined.known, places), _taken(joined.answers, places), places)


def _found(kind: str) -> str:
    """Give where to begin to look for a type that is wide enough, which is one of those that are found."""
    return kind if kind in TYPES else TYPES[0]


def _dead(joined: Joined, reasons: Mapping[int, str], numbers: Sequence[int], columns: Columns) -> pa.RecordBatch:
    places = sorted(reasons)
    known, answers = _taken(joined.known, places), _taken(joined.answers, places)
    beside = [answers.column(name).cast(pa.string()) for name in columns.beside]
    told = [
        integers(numbers[place] for place in places),
        column_of([reasons[place] for place in places]),
        _written(answers.select([name for name in answers.schema.names if name not in columns.beside])),
    ]
    names = [*known.schema.names, *columns.beside, "record", "reason", "answer"]
    return pa.RecordBatch.from_arrays([*known.columns, *beside, *told], names=names)


def _written(answers: pa.RecordBatch) -> Any:
    """Give each answer as text: a lone value as it is, several as JSON."""
    if answers.num_columns == 1:
        return answers.column(0).cast(pa.string())
    # JSON in one line holds no line break, but lines may hold what Python takes for one.
    return column_of(bytes(jsonl_text.lines(answers)).decode().split("\n")[:-1])


def _taken(rows: pa.RecordBatch, places: Iterable[int]) -> pa.RecordBatch:
    return rows.take(integers(places))
