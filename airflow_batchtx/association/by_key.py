"""Rows and answers joined by a key that both have: as they come while their orders agree, else in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.side_by_side import Stream, beside
from airflow_batchtx.errors import AssociationError, KeyMismatch

# Bytes of what is held of one pair, of each side, to bring it into the order of the other; twice what prepare makes a
# shard of. What is made of it takes some times as much.
LIMIT = 64 * 1024 * 1024
Beside = tuple[pa.RecordBatch, pa.RecordBatch]


def by_key(pair: Pair, known: Stream, answers: Stream, key: str) -> Iterator[Beside]:
    """Yield rows with the answers that have their keys, in the order of the rows.

    KeyMismatch names the first key that is missing on one side, or there twice.
    """
    keys = _Keys(pair)
    for rows, told in beside(known, answers):
        asked = _texts(rows, key)
        if not asked.equals(_texts(told, key)):
            yield from _sorted(pair, keys, _held(pair, [rows], known), _held(pair, [told], answers), key)
            return
        keys.add(asked)
        yield rows, told
    _refuse_rest(pair, known, answers, key)
    keys.refuse_twice()


def _sorted(pair: Pair, keys: _Keys, rows: pa.RecordBatch, told: pa.RecordBatch, key: str) -> Iterator[Beside]:
    """Bring the answers that are left into the order of the rows that are left."""
    asked, answered = _texts(rows, key), _texts(told, key)
    keys.add(asked)
    keys.refuse_twice()
    _refuse_twice(pair, answered, "answers")
    found: Any = pc.index_in(asked, value_set=answered)
    if found.null_count:
        raise _mismatch(pair, _first(asked, pc.is_null(found)), "no answer has")
    if len(asked) != len(answered):
        raise _mismatch(pair, _first(answered, pc.invert(pc.is_in(answered, value_set=asked))), "no row has")
    yield rows, told.take(found)


def _refuse_rest(pair: Pair, known: Stream, answers: Stream, key: str) -> None:
    for stream, what in ((known, "no answer has"), (answers, "no row has")):
        for batch in stream.rest():
            raise _mismatch(pair, _texts(batch, key)[0].as_py(), what)


@dataclass(slots=True)
class _Keys:
    """All keys of a pair's rows."""

    pair: Pair
    held: list[Any] = field(default_factory=list)
    size: int = 0

    def add(self, keys: Any) -> None:
        if keys.null_count:
            raise _mismatch(self.pair, "", "is the key of a row: there is a null")
        self.held.append(keys)
        self.size += keys.nbytes
        _refuse_large(self.pair, self.size)

    def refuse_twice(self) -> None:
        if self.held:
            _refuse_twice(self.pair, pa.chunked_array(self.held).combine_chunks(), "rows")


def _refuse_twice(pair: Pair, keys: Any, whose: str) -> None:
    # Keys that grow are each there once, and to sort others takes less memory than to hash them.
    ordered = keys if _grow(keys) else keys.take(pc.sort_indices(keys))
    again: Any = pc.index(pc.equal(ordered.slice(1), ordered.slice(0, len(ordered) - 1)), True).as_py()
    if again >= 0:
        raise _mismatch(pair, ordered[again].as_py(), f"several {whose} have")


def _grow(keys: Any) -> bool:
    return bool(pc.all(pc.greater(keys.slice(1), keys.slice(0, len(keys) - 1))).as_py())


def _held(pair: Pair, first: Iterable[pa.RecordBatch], stream: Stream) -> pa.RecordBatch:
    held, size = list(first), 0
    for batch in stream.rest():
        size += batch.nbytes
        _refuse_large(pair, size)
        held.append(batch)
    (whole,) = pa.Table.from_batches(held).combine_chunks().to_batches()
    return whole


def _refuse_large(pair: Pair, size: int) -> None:
    if size > LIMIT:
        detail = f"takes more than {LIMIT} bytes of memory to join by key; prepare smaller shards (shard_bytes)"
        raise AssociationError(str(pair.answers.uri), detail)


def _texts(batch: pa.RecordBatch, key: str) -> Any:
    column: Any = batch.column(key)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string())


def _first(keys: Any, mask: Any) -> Any:
    return keys.filter(mask)[0].as_py()


def _mismatch(pair: Pair, key: Any, what: str) -> KeyMismatch:
    detail = f"does not have the keys of {pair.source}, each once: {what} the key {key!r}"
    return KeyMismatch(str(pair.answers.uri), detail, key=str(key))
