"""Answers in CSV without a header."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.errors import AssociationError, MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore
from airflow_batchtx.storage.tables import csv_records


@dataclass(frozen=True, slots=True)
class CsvAnswers:
    """Answers whose cells are the `columns`; those in `numbers` may come as doubles (`csv_records.batches`)."""

    columns: Mapping[str, str | None]
    numbers: frozenset[str] = frozenset()

    def batches(self, store: ObjectStore, pair: Pair) -> Iterator[pa.RecordBatch]:
        """Yield the answers of a pair; AssociationError names one that cannot be read."""
        yield from records(store, pair, tuple(self.columns), self.numbers)


def records(
    store: ObjectStore, pair: Pair, names: Sequence[str], numbers: Collection[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Yield an output object's records, as text but for `numbers`; AssociationError names one that cannot be read."""
    if not pair.answers.size:
        return
    with store.reader(pair.answers.uri) as source:
        try:
            yield from csv_records.batches(_csv(pair.answers.uri, source), names, header=False, numbers=numbers)
        except pa.ArrowInvalid as error:
            raise _damage(store, pair.answers.uri, names, error) from error


def width(store: ObjectStore, pairs: Sequence[Pair]) -> int | None:
    """Count the columns of the answers, by the first one; None where there is none."""
    widths = (_width(store, pair.answers.uri) for pair in pairs if pair.answers.size)
    return next((count for count in widths if count), None)


def _width(store: ObjectStore, uri: S3Uri) -> int:
    with store.reader(uri) as source:
        _csv(uri, source)
    try:
        return len(csv_records.head(store, uri))
    except MalformedRecord as error:
        raise AssociationError(str(uri), error.detail) from error


def _csv(uri: S3Uri, source: ObjectReader) -> csv_records.Peeked:
    """Refuse answers in JSON, whose braces and quotes would pass for cells."""
    peeked = csv_records.Peeked(source)
    if peeked.start.lstrip().startswith((b"{", b"[")):
        detail = (
            "holds JSON, where text/csv is read: give the job accept='text/csv', or have its model heed Accept; "
            "where they are meant to be JSON, say accept= to this task"
        )
        raise AssociationError(str(uri), detail)
    return peeked


def _damage(store: ObjectStore, uri: S3Uri, names: Sequence[str], cause: Exception) -> AssociationError:
    found = csv_records.damages(store, uri, names, header=False, cause=cause)
    return AssociationError(str(uri), f"{found[0].rule}: {found[0].value!r}", found[0].record)
