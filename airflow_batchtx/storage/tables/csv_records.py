"""CSV objects as record batches whose every cell is the text that was written.

RFC 4180 with a comma: cells may be quoted, a quoted cell may hold commas, doubled quotes and line breaks; lines end in
LF, CR or both; a byte order mark is skipped. A line with nothing on it is no record.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore

# Reads any bytes at all as text, one character a byte. Arrow cannot hand on a damaged record that is not UTF-8.
_BYTES = "latin-1"
# Bytes parsed at once, and by that the longest record.
BLOCK = 2 * 1024 * 1024
# Bytes read to see what an object begins with.
PEEK = 64
# How many damaged records are named.
MOST = 10
MAGIC = {
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}  # fmt: skip
# What a text is that begins so, and what one is whose only cell holds such a character.
OPENINGS: Mapping[str, str] = {"{": "JSON Lines", "[": "JSON", "<": "XML or HTML"}
SEPARATORS: Mapping[str, str] = {"\t": "tabs", ";": "semicolons", "|": "bars"}


def looks_like(cells: Sequence[str]) -> str | None:
    """Say what a first record belongs to, by its cells, if it looks as if that were no CSV with commas."""
    first = next(iter(cells), "").lstrip()
    if first[:1] in OPENINGS:
        return OPENINGS[first[:1]]
    within = (name for mark, name in SEPARATORS.items() if len(cells) == 1 and mark in first.strip())
    return next((f"a table whose cells are separated by {name}" for name in within), None)


def batches(source: ObjectReader | Peeked, columns: Sequence[str], *, header: bool) -> Iterator[pa.RecordBatch]:
    """Yield the columns as text, batch by batch, the same batches for the same object.

    With a header `columns` choose and order the cells, without one they name all of them. ArrowInvalid says that a
    record is damaged; `damages` finds out which.
    """
    with _opened(source, columns, header=header, cells=pa.string()) as reader:
        yield from reader


def head(store: ObjectStore, uri: S3Uri) -> tuple[str, ...]:
    """Give the cells of an object's first record, none of an empty object; MalformedRecord if it is no CSV."""
    with store.reader(uri) as source:
        data = source.read(BLOCK)
    if (found := next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)) or b"\0" in data:
        raise MalformedRecord(f"is no CSV but {found or 'binary'}")
    try:
        # What is wrong behind the first record is told when it is read, by its place.
        text = data.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
        records = csv.reader(io.StringIO(text, newline=""))
        cells = next((record for record in records if record), [])
        return tuple(cell.encode(errors="surrogateescape").decode() for cell in cells)
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedRecord(f"is no CSV: {error}") from error


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a record, counted from 1 (the header not), or with a column in it."""

    rule: str
    value: object
    record: int | None = None
    column: str | None = None


def damages(
    store: ObjectStore, uri: S3Uri, columns: Sequence[str], *, header: bool, cause: Exception | None = None
) -> list[Damage]:
    """Read an object again, slowly, and name the first records that are damaged; `cause` if there turn out to be none.

    For then blocks of bytes, and with them the longest record, begin elsewhere than where reading failed.
    """
    ragged: list[Damage] = []

    def remember(row: Any) -> str:
        rule = f"has {row.actual_columns} cells, where {row.expected_columns} are expected"
        ragged.append(Damage(rule, _text(row.text.encode(_BYTES)), row.number - header))
        return "skip" if len(ragged) < MOST else "error"

    unreadable: list[Damage] = []
    names = [name.encode().decode(_BYTES) for name in columns]
    try:
        with (
            store.reader(uri) as source,
            _opened(Peeked(source), names, header=header, cells=pa.binary(), invalid=remember) as reader,
        ):
            seen = 0
            for batch in reader:
                unreadable += _undecodable(batch.rename_columns(list(columns)), seen)
                seen += batch.num_rows
    except pa.ArrowInvalid as error:
        # With a skipped record before it the number of another one is not known.
        cause = error
    unknown = [Damage(f"holds a record that cannot be read: {cause}", None)] if cause else []
    return ragged or unreadable[:MOST] or unknown


class Peeked:
    """A file for Arrow whose `start` is known before: up to its first bytes that are not blank, and no byte order mark.

    Arrow looks for the mark in UTF-8 alone.
    """

    closed = False

    def __init__(self, source: ObjectReader) -> None:
        start = data = source.read(PEEK)
        while data and not start.strip():
            data = source.read(PEEK)
            start += data
        self.start = start.removeprefix(codecs.BOM_UTF8)
        self._ahead, self._source = self.start, source

    def read(self, size: int) -> bytes:
        """Return as many bytes, fewer only at the end."""
        start, self._ahead = self._ahead[:size], self._ahead[size:]
        return start + self._source.read(size - len(start)) if len(start) < size else start


def _undecodable(batch: Any, before: int) -> Iterator[Damage]:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for index, cell in enumerate(column.to_pylist()):
            read = _text(cell.decode().encode(_BYTES))
            if isinstance(read, bytes):
                yield Damage("is not UTF-8", read, before + index + 1, name)


def _text(data: bytes) -> str | bytes:
    """Give text, or the bytes that are none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _opened(source: Any, columns: Sequence[str], *, header: bool, cells: Any, invalid: Any = None) -> Any:
    file: Any = pa.PythonFile(source, mode="r")
    return arrow_csv.open_csv(
        file,
        read_options=arrow_csv.ReadOptions(
            block_size=BLOCK,
            # Damaged records are counted by one thread only.
            use_threads=invalid is None,
            encoding=_BYTES if invalid else "utf8",
            column_names=None if header else list(columns),
        ),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=invalid),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, cells),
            include_columns=list(columns) if header else None,
            strings_can_be_null=False,
        ),
    )
