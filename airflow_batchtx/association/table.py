"""Objects of a table on their way: what is written to them, and what is told of them once they are whole."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.spec.associated import Part
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.sinks import FORMATS
from airflow_batchtx.storage.tables.streams import DigestWriter

if TYPE_CHECKING:
    from typing_extensions import Self


class TableWriter(AbstractContextManager["TableWriter"], Protocol):
    """Takes the rows of one pair. When its context is left without an exception they are in `parts`."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The objects that hold the rows."""
        ...

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows of a pair go: `name` is that of each of their objects, without its ending."""

    store: ObjectStore
    folder: S3Uri
    name: str
    format: str
    pair: Pair

    def at(self, *folders: str) -> S3Uri:
        """Address the object, in folders below the table's."""
        return self.folder / "/".join([*folders, f"{self.name}.{FORMATS[self.format].ending}"])


class PartWriter:
    """One object. It appears when the context is left without an exception."""

    def __init__(self, layout: Layout, schema: pa.Schema, *folders: str) -> None:
        self._layout, self._schema, self._uri = layout, schema, layout.at(*folders)
        self._rows = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._digest = DigestWriter(stack.enter_context(self._layout.store.writer(self._uri)))
            make = FORMATS[self._layout.format].sink
            self._sink = stack.enter_context(closing(make(self._digest, self._schema)))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._open.__exit__(kind, error, trace)

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        if batch.num_rows:
            self._sink.write(batch)
        self._rows += batch.num_rows

    def paste(self, lines: bytes, rows: int) -> None:
        """Take rows as the lines that they are in a format of text."""
        self._digest.write(lines)
        self._rows += rows

    @property
    def parts(self) -> tuple[Part, ...]:
        """The object."""
        pair = self._layout.pair
        return (
            Part(
                uri=str(self._uri),
                rows=self._rows,
                bytes=self._digest.size,
                sha256=self._digest.sha256,
                input=str(pair.source),
                output=str(pair.answers.uri),
                inputs=len(pair.members),
            ),
        )
