"""How a job's rows and answers are read: decided once for all its pairs, then done for one pair after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa

from airflow_batchtx.association import csv_answers, framed_answers, json_answers, json_shapes, rows
from airflow_batchtx.association.ahead import ahead
from airflow_batchtx.association.by_key import by_key
from airflow_batchtx.association.csv_answers import CsvAnswers
from airflow_batchtx.association.framed_answers import RecordIoAnswers, WholeAnswers
from airflow_batchtx.association.json_answers import JsonAnswers, Shaped
from airflow_batchtx.association.native_join import JoinedCsv, JoinedJson
from airflow_batchtx.association.objects import CSV, JSON, JSON_LINES, RECORD_IO, Inputs, kind_of
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.request import DOCUMENT, AssociateRequest
from airflow_batchtx.association.request import JSON as JSON_TEXT
from airflow_batchtx.association.rows import CsvRows, JsonRows, KeptRows, NumberedRows, Rows
from airflow_batchtx.association.side_by_side import Stream, as_many, beside
from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.spec.arrow_names import KNOWN
from airflow_batchtx.spec.enums import JoinSource
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.arrow_types import type_named

Answers = CsvAnswers | JsonAnswers | RecordIoAnswers | WholeAnswers | JoinedCsv


@dataclass(frozen=True, slots=True)
class Reading:
    """What comes of reading any pair of a job.

    `rows` and `answers` say how both are read, and `key` which column joins them, None where their places do.
    """

    rows: Rows
    answers: Answers
    key: str | None = None
    # How many of the first columns of the answers are cells of the input, which SageMaker has joined with them.
    joined: int = 0

    @property
    def known(self) -> pa.Schema:
        """The schema of what is known of a row."""
        return self.rows.schema

    @property
    def columns(self) -> Mapping[str, str | None]:
        """What was read beside it: each column with the type that it must have, None for the narrowest that holds it.

        Cells of the input come first; a key is not among them if it is known already.
        """
        read = {**dict.fromkeys(self.rows.columns), **self.answers.columns}
        return {name: kind for name, kind in read.items() if name != self.key or name not in self.known.names}

    def with_numbers(self, names: Collection[str]) -> Reading:
        """Read columns of CSV as doubles where nobody can miss their text, which is faster.

        What is joined by a key stays text.
        """
        if self.key is not None:
            return self
        wanted, rows, answers = frozenset(names), self.rows, self.answers
        return replace(
            self,
            rows=replace(rows, numbers=wanted) if isinstance(rows, CsvRows) else rows,
            answers=replace(answers, numbers=wanted) if isinstance(answers, CsvAnswers) else answers,
        )

    @property
    def predictions(self) -> tuple[str, ...]:
        """Those of the columns that the model gave."""
        return tuple(name for name in tuple(self.answers.columns)[self.joined :] if name != self.key)


class Joined(NamedTuple):
    """Rows and their answers, in batches of equal length.

    `answers` has the `columns` of the Reading, and behind them the marks; their types are those that `narrowing` tells
    kinds of values by.
    """

    known: pa.RecordBatch
    answers: pa.RecordBatch


def answered(store: ObjectStore, pair: Pair, reading: Reading) -> Iterator[Joined]:
    """Yield the rows of an input and their answers in batches of equal length.

    RowCountMismatch says that there are more or fewer answers than rows, KeyMismatch that not both have the same keys,
    AssociationError that one of them cannot be read.
    """
    with (
        closing(Stream(reading.rows.batches(store, pair))) as known,
        closing(Stream(reading.answers.batches(store, pair))) as told,
    ):
        both = beside(known, told) if reading.key is None else by_key(pair, known, told, reading.key)
        for row, answer in both:
            yield _joined(reading, row, answer)
        as_many(known, told, source=str(pair.source), output=str(pair.answers.uri))


def _joined(reading: Reading, row: pa.RecordBatch, answer: pa.RecordBatch) -> Joined:
    if not reading.rows.columns and reading.key is None:
        return Joined(row, answer)
    of_row = list(reading.rows.columns)
    of_answer = [name for name in answer.schema.names if name != reading.key]
    columns = [*row.select(of_row).columns, *answer.select(of_answer).columns]
    read = pa.RecordBatch.from_arrays(columns, names=[*of_row, *of_answer])
    return Joined(row.select(reading.known.names), read)


# ------------------------------------------------------------------------------------------------------ the plan


@dataclass(frozen=True, slots=True)
class _Work:
    """What there is to decide about. `marks` are members that records may have beside the predictions."""

    store: ObjectStore
    request: AssociateRequest
    pairs: Sequence[Pair]
    marks: tuple[str, ...]
    inputs: Inputs

    @property
    def joins(self) -> bool:
        """Tell whether SageMaker has joined the outputs with their inputs."""
        return self.request.result.join_source == JoinSource.INPUT

    @property
    def filtered(self) -> bool:
        """Tell whether SageMaker left something of the outputs out."""
        return self.request.result.output_filter is not None

    @property
    def kept(self) -> S3Uri | None:
        """Where the kept columns of the first rows are; None where there are none of any."""
        return self.pairs[0].kept


def planned(
    store: ObjectStore, request: AssociateRequest, paired: Sequence[Pair], marks: tuple[str, ...] = ()
) -> Reading:
    """Decide how to read all pairs of a job; InvalidInput names everything that does not fit what is there.

    `marks` are members of JSON objects that come behind the columns of `Joined.answers`, though not every record, or
    none, has them. What the model gives is looked up in its answers: in the first one, but in all of them for the
    members of JSON objects that nobody has named. AmbiguousAnswer says that they can be read in several ways.
    """
    inputs = Inputs.of(request.result)
    with ahead(store, paired if inputs.whole else ()) as near:
        work = _Work(near, request, paired, marks, inputs)
        refuse(InvalidInput, "associate", _contradictions(work))
        read = _answers(work)
    joined = len(request.input_columns or ()) if isinstance(read, CsvAnswers) and work.joins else 0
    reading = Reading(_rows(replace(work, store=store), joined=bool(joined)), read, request.key, joined)
    refuse(InvalidInput, "associate", [*_unfit(reading), *_unmarked(reading, marks)])
    return reading


def _rows(work: _Work, *, joined: bool) -> Rows:
    names = work.request.input_columns
    if work.kept is not None:
        return KeptRows.of(work.store, work.kept, work.pairs)
    if names is None:
        return NumberedRows(work.inputs)
    if joined:
        return NumberedRows(work.inputs, rows.NOTHING)
    return (
        JsonRows(work.inputs, names) if work.inputs.content_type in (JSON, JSON_LINES) else CsvRows(work.inputs, names)
    )


def _answers(work: _Work) -> Answers:
    result = work.request.result
    kind = kind_of(result.accept or result.content_type)
    if kind in _FORMATS:
        return _FORMATS[kind](work)
    framed = not work.inputs.whole and framed_answers.is_recordio(work.store, work.pairs)
    return RecordIoAnswers(_one(work)) if framed else WholeAnswers(_one(work))


def _csv(work: _Work) -> Answers:
    width = csv_answers.width(work.store, work.pairs)
    named = work.request.predictions
    if work.joins and not work.filtered:
        widths = (rows.width(work.store, pair.source, work.inputs) for pair in work.pairs)
        # Blank lines alone tell none.
        sent = next(filter(None, widths), 0)
        return JoinedCsv(work.inputs, sent, _named(named, None if width is None else width - sent))
    cells = dict.fromkeys(work.request.input_columns or () if work.joins else ())
    return CsvAnswers({**cells, **_named(named, None if width is None else width - len(cells))})


def _json(work: _Work) -> Answers:
    request = work.request
    if work.joins:
        source: json_answers.Source = JoinedJson(work.inputs, proved=not work.filtered)
    elif request.answer is not None or work.inputs.whole:
        source = Shaped(request.answer or DOCUMENT)
    else:
        source = Shaped(json_shapes.found(work.store, work.pairs, work.inputs))
    return json_answers.planned(work.store, work.pairs, source, request.predictions, work.marks)


def _framed(work: _Work) -> Answers:
    return RecordIoAnswers(_one(work))


def _one(work: _Work) -> Mapping[str, str | None]:
    return _named(work.request.predictions, 1)


def _named(asked: Mapping[str, str | None] | None, count: int | None) -> Mapping[str, str | None]:
    """Name the columns that the model gives, of which there are so many; None where that is not known."""
    if count is None:
        return asked or json_answers.numbered(1)
    names = json_answers.numbered(count) if asked is None else asked
    refuse(InvalidInput, "associate", json_answers.miscounted(tuple(names), count))
    return names


_FORMATS: Mapping[str, Callable[[_Work], Answers]] = {
    "": _csv,
    CSV: _csv,
    JSON: _json,
    JSON_LINES: _json,
    RECORD_IO: _framed,
}


def _contradictions(work: _Work) -> Iterator[Problem]:
    request = work.request
    if request.input_columns is not None and work.kept is not None:
        rule = "names cells of input that prepare has made, whose kept columns are known"
        yield Problem("input_columns", request.input_columns, rule, "Leave it out.")
    if request.input_columns is not None and work.inputs.content_type not in ("", CSV, JSON, JSON_LINES):
        rule = f"names cells of {work.inputs.content_type}, which has none"
        yield Problem("input_columns", request.input_columns, rule, "Leave it out.")
    if request.answer is not None and work.joins:
        rule = "does not go with documents that SageMaker has joined: each of them is one answer"
        yield Problem("answer", request.answer, rule, "Leave it out.")
    kind = kind_of(request.result.accept or request.result.content_type)
    if request.answer is not None and kind not in (JSON, JSON_LINES):
        rule = f"is a part of JSON, where the answers are {kind or CSV}"
        yield Problem("answer", request.answer, rule, "Leave it out, or say accept='application/json'.")
    if kind_of(request.result.accept).startswith("*"):
        remedy = "Say to this task what the answers are: accept='application/json'."
        yield Problem("accept", request.result.accept, "does not say what the answers are", remedy)


def _unmarked(reading: Reading, marks: Sequence[str]) -> Iterator[Problem]:
    """Find marks that no answer could have; of JSON objects each may have others."""
    given = reading.answers.columns
    for mark in marks:
        if not isinstance(reading.answers, JsonAnswers) and mark not in given:
            remedy = "Name it among predictions=, in its place."
            yield Problem("error_member", mark, f"is none of the columns of the answers: {', '.join(given)}", remedy)


def _unfit(reading: Reading) -> Iterator[Problem]:
    taken, given = [*reading.known.names, *reading.rows.columns], list(reading.answers.columns)
    if both := sorted(set(given) & set(taken) - {reading.key}):
        remedy = "Give predictions= other names, of JSON the members to take, or join by it: key=."
        yield Problem("predictions", both, "is the name of a kept column too", remedy)
    for name, kind in reading.answers.columns.items():
        if kind not in (None, JSON_TEXT) and type_named(kind or "") is None:
            yield Problem(f"predictions[{name!r}]", kind, f"is none of the types {KNOWN}", "Give one of them, or none.")
    if reading.key is None:
        return
    if reading.key not in taken:
        yield Problem("key", reading.key, f"is none of the columns of the rows: {', '.join(taken)}", "Keep it.")
    if reading.key not in given:
        remedy = "Name it among predictions=, in its place."
        yield Problem("key", reading.key, f"is none of the columns of the answers: {', '.join(given)}", remedy)
