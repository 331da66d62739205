"""Answers that are no text of records: framed in RecordIO, or one to an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airflow_batchtx.association.json_columns import TEXT
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.errors import AssociationError, MalformedRecord
from airflow_batchtx.records import recordio
from airflow_batchtx.records.framing import payloads
from airflow_batchtx.spec.enums import BatchStrategy, SplitType
from airflow_batchtx.storage.port import ObjectStore

# Bytes of answers in a batch, about.
BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RecordIoAnswers:
    """Answers in RecordIO: their payloads, as text where they are UTF-8, in one column."""

    columns: Mapping[str, str | None]

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the answers of a pair; AssociationError where they are not framed so."""
        held, size = list[bytes](), 0
        with store.reader(pair.answers.uri) as source:
            try:
                for payload in payloads(source, SplitType.RECORD_IO, BatchStrategy.SINGLE_RECORD, None):
                    held.append(payload)
                    size += len(payload)
                    if size >= BLOCK:
                        yield _batch(held, self.columns)
                        held, size = [], 0
            except MalformedRecord as error:
                raise AssociationError(str(pair.answers.uri), error.detail) from error
        if held:
            yield _batch(held, self.columns)


@dataclass(frozen=True, slots=True)
class WholeAnswers:
    """Objects that are one answer each, as text where they are UTF-8."""

    columns: Mapping[str, str | None]

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the answer of a pair."""
        if pair.answers.size:
            yield _batch([store.get(pair.answers.uri)], self.columns)


def is_recordio(store: ObjectStore, pairs: Sequence[Pair]) -> bool:
    """Tell by the first answers whether they are framed."""
    first = next((pair.answers for pair in pairs if pair.answers.size >= len(_MAGIC)), None)
    return first is not None and store.get_range(first.uri, 0, len(_MAGIC)) == _MAGIC


_MAGIC = recordio.MAGIC.to_bytes(4, "little")


def _batch(bodies: Sequence[bytes], columns: Mapping[str, str | None]) -> pa.RecordBatch:
    column: Any = pa.array(bodies, pa.binary())
    with suppress(pa.ArrowInvalid):
        column = column.cast(TEXT)
    return pa.RecordBatch.from_arrays([column], names=list(columns))
