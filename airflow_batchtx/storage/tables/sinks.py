"""What tables are written to, by the name of their format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from airflow_batchtx.storage.tables import csv_text, jsonl_text
from airflow_batchtx.storage.tables.parquet import ParquetSink
from airflow_batchtx.storage.tables.streams import DigestWriter


class Sink(Protocol):
    """Writes record batches of one schema to an object."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        ...

    def close(self) -> None:
        """Write what is held, and what ends the object; the object itself stays open."""
        ...


class JsonLinesSink:
    """Writes batches to an object as JSON Lines, a document with the columns' names for each row."""

    def __init__(self, target: DigestWriter, schema: pa.Schema) -> None:  # noqa: ARG002 - as all sinks
        self._target = target

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch; it holds no number that JSON has not (`jsonl_text.not_numbers`)."""
        self._target.write(jsonl_text.lines(batch))

    def close(self) -> None:
        """Do nothing more: every line is written."""


@dataclass(frozen=True, slots=True)
class Format:
    """How objects of a format end in their name, what writes them, and which Arrow types they hold.

    `strange` says of a type that they do not hold what it is that does not.
    """

    ending: str
    sink: Callable[[DigestWriter, pa.Schema], Sink]
    holds: Callable[[pa.DataType], bool]
    strange: str = ""


FORMATS: Mapping[str, Format] = {
    "parquet": Format("parquet", ParquetSink, lambda _: True),
    "csv": Format("csv", csv_text.CsvSink, csv_text.is_textual, "no CSV cell can hold"),
    "jsonlines": Format("jsonl", JsonLinesSink, jsonl_text.can_hold, "JSON cannot hold"),
}
