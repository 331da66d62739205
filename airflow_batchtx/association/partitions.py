"""Tables in folders: `day=2026-01-01/region=eu/part-00000.parquet`, as Hive, Spark, Athena and Arrow read them.

A column's value is in the name of the folder, percent-encoded, and not in the objects below it; a null is
`__HIVE_DEFAULT_PARTITION__`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.association.table import Layout, PartWriter
from airflow_batchtx.spec.associated import Part
from airflow_batchtx.storage.tables.csv_text import written
from airflow_batchtx.storage.tables.texts import column_of, constant, put_together

if TYPE_CHECKING:
    from typing_extensions import Self

NULL = "__HIVE_DEFAULT_PARTITION__"
# Bytes of rows that are held before they are parted: the more, the fewer pieces a folder's rows lie in.
HELD = 32 * 1024 * 1024


def folder_pattern(columns: Sequence[str]) -> re.Pattern[str]:
    """Match the folders of a table that is parted by these columns, to the slash at their end."""
    return re.compile("".join(f"{re.escape(_named(column))}=[^/]*/" for column in columns))


def _named(text: str) -> str:
    return quote(text, safe="")


class PartitionedWriter:
    """Puts rows into folders by their values. They wait in temporary files (TMPDIR says where), not in memory."""

    def __init__(self, layout: Layout, schema: pa.Schema, by: Sequence[str], *, held: int = HELD) -> None:
        self._layout, self._by, self._most = layout, tuple(by), held
        self._schema = pa.schema([field for field in schema if field.name not in by])
        self._held: list[pa.RecordBatch] = []
        self._size = 0
        self._spills: list[_Spill] = []
        self._open = ExitStack()
        self._parts: list[Part] = []

    @property
    def parts(self) -> tuple[Part, ...]:
        """One object for each folder, in the order of their names."""
        return tuple(self._parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            if error is None:
                self._spill()
                for folder in sorted({folder for spill in self._spills for folder in spill.folders}):
                    self._write(folder)

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        self._held.append(batch)
        self._size += batch.nbytes
        if self._size >= self._most:
            self._spill()

    def _write(self, folder: str) -> None:
        with PartWriter(self._layout, self._schema, folder) as part:
            for spill in self._spills:
                if folder in spill.folders:
                    part.write(spill.read(folder))
        self._parts += part.parts

    def _spill(self) -> None:
        if self._held:
            rows = pa.Table.from_batches(self._held).unify_dictionaries()
            self._spills.append(_spilled(self._open, rows, self._by, self._schema))
        self._held, self._size = [], 0


@dataclass(frozen=True, slots=True)
class _Spill:
    """Rows in a file, those of each folder together."""

    reader: Any
    folders: Mapping[str, int]

    def read(self, folder: str) -> pa.RecordBatch:
        found: pa.RecordBatch = self.reader.get_batch(self.folders[folder])
        return found


def _spilled(stack: ExitStack, rows: pa.Table, by: Sequence[str], schema: pa.Schema) -> _Spill:
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack is the context
    texts: Any = _folders([rows[name] for name in by], by).dictionary_encode()
    # Within a folder rows keep their order: this way to sort is stable.
    ordered = rows.select(schema.names).take(pc.array_sort_indices(texts.indices)).combine_chunks()
    folders: list[str] = texts.dictionary.to_pylist()
    with pa.ipc.new_file(file, schema) as writer:
        for start, stop in _bounds(texts.indices, len(folders)):
            writer.write_table(ordered.slice(start, stop - start))
    file.seek(0)
    return _Spill(pa.ipc.open_file(file), {folder: number for number, folder in enumerate(folders)})


def _bounds(indices: Any, count: int) -> Iterator[tuple[int, int]]:
    """Give where the rows of each value begin and end once they are sorted; a value has at least one row."""
    counted = pc.value_counts(indices)
    counts = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
    start = 0
    for value in range(count):
        yield start, start + counts[value]
        start += counts[value]


def _folders(columns: Sequence[Any], names: Sequence[str]) -> Any:
    steps = [_steps(column, name) for column, name in zip(columns, names, strict=True)]
    slashed = [part for step in steps for part in (step, "/")]
    return put_together(*slashed[:-1])


def _steps(column: Any, name: str) -> Any:
    """Name the folder of each value. Each different one is encoded once."""
    texts = pc.coalesce(written(column.combine_chunks()).cast(pa.string()), constant(NULL)).dictionary_encode()
    values = column_of([f"{_named(name)}={value if value == NULL else _named(value)}" for value in _values(texts)])
    return values.take(texts.indices)


def _values(texts: Any) -> list[str]:
    found: list[str] = texts.dictionary.to_pylist()
    return found
