"""Answers in JSON as columns: one for each member of objects, for each element of lists, or one for plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from airflow_batchtx.association import json_columns, json_shapes
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.request import JSON
from airflow_batchtx.errors import AssociationError, InvalidInput, Problem, refuse
from airflow_batchtx.storage.port import ObjectStore

# Members that become columns without being named: more of them are keys of data, not names.
MOST = 1000
# Types of answers that have parts.
_KINDS = frozenset({dict, list})
# What a mark says of an answer that was not refused; numbers are texts here.
_WELL = (None, False)
Columns = Mapping[str, str | None]
# Gives the answers of a pair, some at a time.
Source = Callable[[ObjectStore, Pair], Iterator[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Shaped:
    """Answers as documents, or in lists at a place of the documents."""

    shape: str

    def __call__(self, store: ObjectStore, pair: Pair) -> Iterator[Sequence[Any]]:
        """Yield them, some at a time."""
        if pair.answers.size:
            with json_shapes.opened(store, pair.answers.uri) as documents:
                yield from json_shapes.answers(documents, self.shape)


@dataclass(frozen=True, slots=True)
class JsonAnswers:
    """How answers in JSON become columns. `columns` are the model's, `marks` members that some records may have.

    `kind` is the type that all answers have in Python, but for objects that a mark says were refused. Of objects the
    `columns` are members, which all must have that have no mark where they are `named`.
    """

    source: Source
    kind: type
    columns: Columns
    marks: tuple[str, ...] = ()
    named: bool = False

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the answers of a pair; AssociationError names one that is not as all are."""
        seen = 0
        for answers in self.source(store, pair):
            try:
                yield self._batch(answers)
            except _Unlike as unlike:
                raise AssociationError(str(pair.answers.uri), unlike.detail, seen + unlike.index + 1) from None
            seen += len(answers)

    def _batch(self, answers: Sequence[Any]) -> pa.RecordBatch:
        parted = _PARTED[self.kind](self, answers)
        columns = [
            json_columns.documents(values) if self.columns.get(name) == JSON else json_columns.column(values)
            for name, values in parted.items()
        ]
        return pa.RecordBatch.from_arrays(columns, names=list(parted))

    def _values(self, answers: Sequence[Any]) -> dict[str, Sequence[Any]]:
        ((name, kind),) = self.columns.items()
        well, marks = self._apart(answers, None)
        if kind != JSON:
            _refuse_unlike(well, [type(answer) not in _KINDS for answer in well], "a plain value")
        return {name: well, **marks}

    def _elements(self, answers: Sequence[Any]) -> dict[str, Sequence[Any]]:
        count = len(self.columns)
        well, marks = self._apart(answers, [None] * count)
        alike = [type(answer) is list and len(answer) == count for answer in well]
        _refuse_unlike(well, alike, f"a list of {count} elements")
        return {**dict(zip(self.columns, zip(*well, strict=True), strict=True)), **marks}

    def _apart(self, answers: Sequence[Any], nothing: Any) -> tuple[Sequence[Any], dict[str, Sequence[Any]]]:
        """Put `nothing` in the place of every object with a mark, and give their marks."""
        if not self.marks:
            return answers, {}
        marked = [answer if _is_marked(answer, self.marks) else None for answer in answers]
        well = [answer if one is None else nothing for answer, one in zip(answers, marked, strict=True)]
        return well, {mark: [one and one.get(mark) for one in marked] for mark in self.marks}

    def _members(self, answers: Sequence[Any]) -> dict[str, Sequence[Any]]:
        _refuse_unlike(answers, [type(answer) is dict for answer in answers], "an object")
        for name in self.columns if self.named else ():
            there = [name in answer or _is_marked(answer, self.marks) for answer in answers]
            _refuse_unlike(answers, there, f"one with a member {name!r}")
        return {name: [answer.get(name) for answer in answers] for name in (*self.columns, *self.marks)}


_PARTED: Mapping[type, Callable[[JsonAnswers, Sequence[Any]], dict[str, Sequence[Any]]]] = {
    dict: JsonAnswers._members,  # noqa: SLF001 - the table of this class's ways
    list: JsonAnswers._elements,  # noqa: SLF001
    object: JsonAnswers._values,  # noqa: SLF001
}


class _Unlike(Exception):
    def __init__(self, index: int, detail: str) -> None:
        self.index, self.detail = index, detail


def _refuse_unlike(answers: Sequence[Any], alike: Sequence[bool], what: str) -> None:
    if not all(alike):
        index = alike.index(False)
        raise _Unlike(index, f"is {_described(answers[index])}, where {what} is expected")


def _is_marked(answer: Any, marks: Sequence[str]) -> bool:
    return type(answer) is dict and any(answer.get(mark) not in _WELL for mark in marks)


def _described(answer: Any) -> str:
    if isinstance(answer, list):
        return f"a list of {len(answer)} elements"
    return f"an object with members {', '.join(answer)}" if isinstance(answer, dict) else "a plain value"


# ------------------------------------------------------------------------------------------------------ the plan


def planned(
    store: ObjectStore, pairs: Sequence[Pair], source: Source, asked: Columns | None, marks: tuple[str, ...]
) -> JsonAnswers:
    """Decide what the columns are, by the first answer, and for objects without named members by all answers."""
    whole = asked is not None and list(asked.values()) == [JSON]
    first = _first(_all(store, pairs, source), marks)
    kind = type(first) if type(first) in _KINDS else object
    if whole and kind is not dict:
        kind = object
    columns = (
        _of_objects(_all(store, pairs, source), asked, marks)
        if kind is dict
        else _counted(len(first) if kind is list else 1, asked)
    )
    beside = tuple(mark for mark in marks if kind is dict or mark not in columns)
    return JsonAnswers(source, kind, columns, beside, named=asked is not None)


def _all(store: ObjectStore, pairs: Sequence[Pair], source: Source) -> Iterator[Sequence[Any]]:
    return (answers for pair in pairs for answers in source(store, pair))


def _first(batches: Iterable[Sequence[Any]], marks: Sequence[str]) -> Any:
    """Find the first answer that is not null, and not refused unless all are; by it all others are read."""
    refused = None
    for answer in chain.from_iterable(batches):
        if _is_marked(answer, marks):
            refused = answer
        elif answer is not None:
            return answer
    return refused


def _counted(count: int, asked: Columns | None) -> Columns:
    names = asked or numbered(count)
    refuse(InvalidInput, "associate", miscounted(tuple(names), count))
    return names


def _of_objects(batches: Iterable[Sequence[Any]], asked: Columns | None, marks: Sequence[str]) -> Columns:
    """Take the members that any object has, in the order in which they are first met."""
    found = dict.fromkeys(_members(batches)) if asked is None else asked
    columns = {name: kind for name, kind in found.items() if name not in marks}
    refuse(InvalidInput, "associate", _unnamed(columns, marks))
    return columns


def _members(batches: Iterable[Sequence[Any]]) -> Iterable[str]:
    members: dict[str, None] = {}
    for answers in batches:
        objects = [answer for answer in answers if type(answer) is dict]
        if set().union(*objects) - members.keys():
            members.update(dict.fromkeys(name for answer in objects for name in answer))
        if len(members) > MOST:
            break
    return members


def _unnamed(columns: Columns, marks: Sequence[str]) -> Iterator[Problem]:
    if len(columns) > MOST:
        rule = f"must be named where answers have more than {MOST} different members"
        yield Problem("predictions", None, rule, "Name those that are to be columns.")
    if not columns and not marks:
        rule = "are objects without any member that could be a column"
        yield Problem("predictions", tuple(columns), rule, "Name a member of the answers.")


def numbered(count: int) -> Columns:
    """Name columns that nobody has named."""
    return dict.fromkeys(("prediction",) if count == 1 else [f"prediction_{index}" for index in range(count)])


def miscounted(names: Sequence[str], count: int) -> Iterator[Problem]:
    """Find that not every column has its name."""
    if len(names) != count:
        rule = f"names {len(names)} columns, the model gives {count}"
        yield Problem("predictions", tuple(names), rule, "Name each of them.")
