"""Outputs that SageMaker has joined with their inputs itself (JoinSource Input).

Without an output filter each record of an output holds its whole record of the input: that it is the one of its place
is the proof that it belongs there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.association import csv_answers, json_shapes, rows
from airflow_batchtx.association.documents import Documents
from airflow_batchtx.association.objects import Inputs
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.side_by_side import Stream, as_many, beside
from airflow_batchtx.errors import AssociationError
from airflow_batchtx.records.jsonformat import INFERENCE_ID, INFERENCE_TIME, JOINED_INPUT, JOINED_OUTPUT
from airflow_batchtx.storage.port import ObjectStore

# What a joined document has beside its record of the input.
_ADDED = frozenset({JOINED_OUTPUT, INFERENCE_ID, INFERENCE_TIME})


@dataclass(frozen=True, slots=True)
class JoinedCsv:
    """Records of CSV that begin with the cells of their input, `width` of them; the `columns` are what follows."""

    inputs: Inputs
    width: int
    columns: Mapping[str, str | None]

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the answers of a pair; AssociationError names one that does not hold its record of the input."""
        mine = [f"cell {index} of the input" for index in range(self.width)]
        sent = Stream(rows.cells(store, pair.source, self.inputs, mine))
        told = Stream(csv_answers.records(store, pair, [*mine, *self.columns]))
        for asked, joined in beside(sent, told):
            if not joined.select(mine).equals(asked):
                raise _other(pair, told.taken - joined.num_rows + _first_other(asked, joined, mine) + 1)
            yield joined.select(list(self.columns))
        as_many(sent, told, source=str(pair.source), output=str(pair.answers.uri))


def _first_other(asked: pa.RecordBatch, joined: pa.RecordBatch, names: Sequence[str]) -> int:
    different: list[Any] = [pc.not_equal(asked.column(name), joined.column(name)) for name in names]
    return min(index for index in (pc.index(column, True).as_py() for column in different) if index >= 0)


@dataclass(frozen=True, slots=True)
class JoinedJson:
    """The answers in documents that hold their input; whether they do is proved where no filter has changed them."""

    inputs: Inputs
    proved: bool

    def __call__(self, store: ObjectStore, pair: Pair) -> Iterator[Sequence[Any]]:
        """Yield the answers of a pair; AssociationError names a document that does not hold its record."""
        if not pair.answers.size:
            return
        with json_shapes.opened(store, pair.answers.uri) as told:
            if self.proved:
                yield from self._compared(store, pair, told)
            else:
                for documents in told.batches():
                    yield [_filtered(pair, document) for document in documents]

    def _compared(self, store: ObjectStore, pair: Pair, told: Documents) -> Iterator[Sequence[Any]]:
        seen = 0
        with self.inputs.opened(store, pair.source) as source:
            sent = chain.from_iterable(Documents(source, str(pair.source)).batches())
            for documents in told.batches():
                for index, (document, asked) in enumerate(zip(documents, islice(sent, len(documents)), strict=False)):
                    if not _holds(document, asked):
                        raise _other(pair, seen + index + 1)
                seen += len(documents)
                # How many there are is told by who counts the rows.
                yield [_output(pair, document) for document in documents]


def _holds(document: Any, asked: Any) -> bool:
    if not isinstance(document, dict) or JOINED_OUTPUT not in document:
        return False
    record = asked if isinstance(asked, dict) else {JOINED_INPUT: asked}
    return _same(
        {name: value for name, value in document.items() if name not in _ADDED},
        {name: value for name, value in record.items() if name not in _ADDED},
    )


def _same(one: Any, other: Any) -> bool:
    """Compare values; numbers by what they are worth, since SageMaker may write them anew."""
    if one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bytes) and isinstance(other, bytes):
        # Whole numbers are written as they are; as doubles long ones, ids for one, would not be told apart.
        return not (_is_whole(one) and _is_whole(other)) and float(one) == float(other)
    return False


def _is_whole(number: bytes) -> bool:
    return number.removeprefix(b"-").isdigit()


def _output(pair: Pair, document: Any) -> Any:
    if not isinstance(document, dict) or JOINED_OUTPUT not in document:
        raise AssociationError(str(pair.answers.uri), f"holds a document without {JOINED_OUTPUT}")
    return document[JOINED_OUTPUT]


def _filtered(pair: Pair, document: Any) -> Any:
    """Give what a filter has left of a document, the answer's members among the others."""
    if not isinstance(document, dict) or JOINED_OUTPUT not in document:
        return document
    output = document[JOINED_OUTPUT]
    others = {name: value for name, value in document.items() if name != JOINED_OUTPUT}
    if not others:
        return output
    answer = output if isinstance(output, dict) else {"prediction": output}
    if both := sorted(others.keys() & answer.keys()):
        raise AssociationError(str(pair.answers.uri), f"has {', '.join(both)} of the input and of the model")
    return others | answer


def _other(pair: Pair, record: int) -> AssociationError:
    detail = f"does not hold record {record} of {pair.source}, with which it is said to be joined"
    return AssociationError(str(pair.answers.uri), detail, record)
