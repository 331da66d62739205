"""CSV objects as record batches whose every cell is the text that was written, or a number that tells as much.

RFC 4180, with a comma or another delimiter: cells may be quoted, a quoted cell may hold delimiters, doubled quotes and
line breaks; lines end in LF, CR or both; a byte order mark is skipped. A line with nothing on it is no record.
"""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, count, islice
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.advance import in_advance
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables import compressed, quotes
from airflow_batchtx.storage.tables.chunks import MOST, Chunk, Damage, text_of
from airflow_batchtx.storage.tables.csv_blocks import Ahead, Blocks, Source
from airflow_batchtx.storage.tables.csv_dialect import COMMAS, Dialect
from airflow_batchtx.storage.tables.csv_parsing import Parser, no_rows
from airflow_batchtx.storage.tables.texts import body_of

# Makes text of any bytes at all, one character a byte. Arrow cannot hand on a damaged record that is not UTF-8.
_BYTES = "latin-1"
# Cells that hold one of these characters are quoted.
_END = "\r\n"
# Bytes parsed at once, and by that the longest record.
BLOCK = 2 * 1024 * 1024
# Those of what is parsed apart: less of it waits for its turn.
PIECE = 1024 * 1024
# Batches of these that wait to be taken.
PARSED = 2
# Bytes read to see what an object begins with, and those that most first records are within: there may be many objects.
PEEK, HEAD = 64, 64 * 1024
MAGIC = {
    b"PAR1": "Parquet",
    **{magic: name for name, magic in compressed.MAGIC.items()},
    b"PK\x03\x04": "zip",
}  # fmt: skip
# What a text is that begins so, and what one is whose only cell holds such a character.
OPENINGS: Mapping[str, str] = {"{": "JSON Lines", "[": "JSON", "<": "XML or HTML"}
SEPARATORS: Mapping[str, str] = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}


def looks_like(cells: Sequence[str], dialect: Dialect = COMMAS) -> str | None:
    """Say what a first record belongs to, by its cells, if it looks as if that were no CSV of the dialect."""
    first = next(iter(cells), "").lstrip()
    if first[:1] in OPENINGS:
        return OPENINGS[first[:1]]
    others = {mark: name for mark, name in SEPARATORS.items() if mark != dialect.delimiter}
    within = (name for mark, name in others.items() if len(cells) == 1 and mark in first.strip())
    return next((f"a table whose cells are separated by {name}" for name in within), None)


def batches(
    source: Source,
    columns: Sequence[str],
    *,
    header: bool,
    dialect: Dialect = COMMAS,
    numbers: Collection[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Yield the columns as text, batch by batch, the same batches for the same object.

    With a header `columns` choose and order the cells, without one they name all of them. ArrowInvalid says that a
    record is damaged; `damages` finds out which, `chunks` reads on behind it. Without a header columns in `numbers` may
    come as doubles in some batches, where their text tells no more (`csv_parsing.Parser`).
    """
    return (batch for batch, _ in _placed(source, columns, header=header, dialect=dialect, numbers=numbers))


def _placed(
    source: Source, columns: Sequence[str], *, header: bool, dialect: Dialect, numbers: Collection[str] = ()
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield batches, and how many bytes of the source have been parsed with each, about."""
    left, end = source, 0
    if not header:
        blocks = Blocks(source, dialect.quote, PIECE)
        with closing(_apart(blocks, Parser(columns, dialect, numbers))) as found:
            for batch, size in found:
                end += size
                yield batch, end
        if blocks.left is None:
            return
        left = blocks.left
    with _opened(left, columns, header=header, dialect=dialect) as reader:
        yield from zip(reader, count(end + BLOCK, BLOCK), strict=False)


def _apart(blocks: Blocks, parser: Parser) -> Generator[tuple[pa.RecordBatch, int], None, None]:
    """Parse blocks in a thread that another one reads for; an object of one block needs neither."""
    cut = iter(blocks)
    first = list(islice(cut, 2))

    def parsed(block: bytes) -> tuple[pa.RecordBatch, int]:
        return parser(block), len(block)

    if len(first) < 2:
        yield from map(parsed, first)
        return
    # Nobody reads any more when this is left, by an error too.
    with closing(in_advance(chain(first, cut), 1)) as read, closing(in_advance(map(parsed, read), PARSED)) as found:
        yield from found


def head(store: ObjectStore, uri: S3Uri, dialect: Dialect = COMMAS, compression: str | None = None) -> tuple[str, ...]:
    """Give the cells of an object's first record, none of an empty object; MalformedRecord if it is no CSV."""
    with compressed.opened(store, uri, compression) as source:
        data = source.read(HEAD)
        # What is wrong behind the first record is told when it is read, by its place.
        if len(data) == HEAD and b"\0" not in data and len(_first(data, dialect)) < _ENOUGH:
            data += source.read(BLOCK - HEAD)
    if (found := next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)) or b"\0" in data:
        raise MalformedRecord(f"is no CSV but {found or 'binary'}")
    try:
        cells = next(iter(_first(data, dialect)), [])
        return tuple(cell.encode(errors="surrogateescape").decode() for cell in cells)
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedRecord(f"is no CSV: {error}") from error


# The first record is whole where another one begins.
_ENOUGH = 2


def _first(data: bytes, dialect: Dialect) -> list[list[str]]:
    """Read the first records, bytes that are no UTF-8 as surrogates."""
    quoting: Any = csv.QUOTE_NONE if dialect.quote is None else csv.QUOTE_MINIMAL
    file = io.StringIO(data.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape"), newline="")
    records = csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote, quoting=quoting)
    return list(islice(filter(None, records), _ENOUGH))


# ------------------------------------------------------------------------------------------------- whole objects


def chunks(
    store: ObjectStore,
    uri: S3Uri,
    columns: Sequence[str],
    *,
    header: bool,
    dialect: Dialect = COMMAS,
    compression: str | None = None,
    most: int | None = MOST,
) -> Iterator[Chunk]:
    """Yield all rows of an object, damaged records apart; about `most` of those at most, and no row behind them.

    It is read fast up to the first damage, and slowly from there on.
    """
    seen = end = 0
    try:
        with compressed.opened(store, uri, compression) as source:
            peeked = Peeked(source)
            if not peeked.start.strip():
                return
            text = quotes.Ended(peeked, dialect.quote)
            for batch, parsed in _placed(text, columns, header=header, dialect=dialect):
                end = source.position(parsed)
                numbers = range(seen + 1, seen + batch.num_rows + 1)
                yield Chunk(batch, numbers, end, text=partial(_written, batch, dialect))
                seen += batch.num_rows
            if text.marks % 2:
                with compressed.opened(store, uri, compression) as again, closing(_spooled(again)) as file:
                    yield Chunk(no_rows(columns), (), end, _misquoted(file, dialect))
            return
    except pa.ArrowInvalid:
        # A record is damaged, or longer than a block. Where blocks begin elsewhere it may fit into one.
        pass
    with compressed.opened(store, uri, compression) as source, closing(_spooled(source)) as file:
        for chunk in _salvaged(file, store.stat(uri).size, columns, header=header, dialect=dialect, most=most):
            skip = bisect_right(chunk.numbers, seen)
            batch, end = chunk.batch.slice(skip), max(chunk.end, end)
            yield Chunk(batch, chunk.numbers[skip:], end, chunk.damaged, partial(_written, batch, dialect))
        yield Chunk(no_rows(columns), (), end, _misquoted(file, dialect))


def damages(
    store: ObjectStore,
    uri: S3Uri,
    columns: Sequence[str],
    *,
    header: bool,
    compression: str | None = None,
    cause: Exception | None = None,
) -> list[Damage]:
    """Read an object again, slowly, and name the first records that are damaged; `cause` if there turn out to be none.

    For then blocks of bytes, and with them the longest record, begin elsewhere than where reading failed.
    """
    size = store.stat(uri).size
    with compressed.opened(store, uri, compression) as source, closing(_spooled(source)) as text:
        parts = _salvaged(text, size, columns, header=header, dialect=COMMAS, most=MOST)
        found = [damage for part in parts for damage in part.damaged]
    known = [damage for damage in found if damage.record is not None]
    return (known or found or ([_unreadable(cause)] if cause else []))[:MOST]


def _unreadable(cause: Exception) -> Damage:
    return Damage(f"holds a record that cannot be read: {cause}", None)


# ----------------------------------------------------------------------------------------------- damaged objects


def _spooled(source: Source) -> BinaryIO:
    """Copy an object to a temporary file, one character for each of its bytes, and go to the file's start."""
    file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - whoever asked closes it
    peeked = Peeked(source)
    while data := peeked.read(BLOCK):
        file.write(data.decode(_BYTES).encode())
    file.seek(0)
    return file


def _salvaged(
    text: BinaryIO, size: int, columns: Sequence[str], *, header: bool, dialect: Dialect, most: int | None
) -> Iterator[Chunk]:
    """Yield the rows of an object of that `size` that are whole, and its damaged records by their numbers.

    The last damage of an object that cannot be read to its end has none.
    """
    ragged: deque[Damage] = deque()
    total = max(text.seek(0, io.SEEK_END), 1)
    text.seek(0)

    def remember(row: Any) -> str:
        data = row.text.encode(_BYTES)
        rule = f"has {row.actual_columns} cells, where {row.expected_columns} are expected"
        ragged.append(Damage(rule, _text(data), row.number - header, text=text_of(data)))
        return "skip" if most is None or len(ragged) < most else "error"

    names = [name.encode().decode(_BYTES) for name in columns]
    record, rest = 0, tuple[Damage, ...]()
    try:
        with _opened(text, names, header=header, dialect=dialect, invalid=remember) as reader:
            for number, batch in enumerate(reader, 1):
                numbers, before = _numbered(batch.num_rows, record, ragged)
                record = numbers[-1] if numbers else record
                part = Chunk(
                    batch.rename_columns(list(columns)), numbers, size * min(number * BLOCK, total) // total, before
                )
                yield _decoded(part, dialect)
    except pa.ArrowInvalid as error:
        rest = () if most is not None and len(ragged) >= most else (_unreadable(error),)
    yield Chunk(no_rows(columns), (), size, (*ragged, *rest))


def _misquoted(text: BinaryIO, dialect: Dialect) -> tuple[Damage, ...]:
    text.seek(0)
    if dialect.quote is None or (found := quotes.never_closed(text, dialect.quote, dialect.delimiter)) is None:
        return ()
    rule = "is a cell whose quote is not closed, so that records behind it would be lost"
    return (Damage(rule, _text(found.decode().encode(_BYTES))),)


def _numbered(rows: int, record: int, ragged: deque[Damage]) -> tuple[list[int], tuple[Damage, ...]]:
    """Number rows that come after a record, and take the damaged ones from before and among them."""
    numbers: list[int] = []
    before: list[Damage] = []
    for _ in range(rows):
        record += 1
        while ragged and ragged[0].record == record:
            before.append(ragged.popleft())
            record += 1
        numbers.append(record)
    return numbers, tuple(before)


def _decoded(chunk: Chunk, dialect: Dialect) -> Chunk:
    """Make UTF-8 of cells that have a character for each byte, and take those rows out that have other bytes."""
    names, columns = chunk.batch.schema.names, [_bytes_of(column) for column in chunk.batch.columns]
    wrong: dict[int, str] = {}
    for name, column in zip(names, columns, strict=True):
        wrong |= dict.fromkeys((row for row in _not_utf8(column) if row not in wrong), name)
    damaged = [
        Damage("is not UTF-8", cells[name], chunk.numbers[row], name, _line(list(cells.values()), dialect))
        for row, name in wrong.items()
        for cells in [{other: column[row].as_py() for other, column in zip(names, columns, strict=True)}]
    ]
    left = [row for row in range(chunk.batch.num_rows) if row not in wrong]
    taken = [column.take(pa.array(left, pa.int64())) for column in columns] if wrong else columns
    return Chunk(
        pa.RecordBatch.from_arrays([column.cast(pa.string()) for column in taken], names=names),
        [chunk.numbers[row] for row in left],
        chunk.end,
        tuple(sorted((*chunk.damaged, *damaged), key=lambda damage: damage.record or 0)),
    )


def _bytes_of(column: Any) -> Any:
    """Give cells as the bytes that their characters stand for."""
    data = bytes(body_of(column)).decode().encode(_BYTES)
    offsets: Any = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(pc.utf8_length(column))])
    return pa.BinaryArray.from_buffers(pa.binary(), len(column), [None, offsets.buffers()[1], pa.py_buffer(data)])


def _not_utf8(column: Any) -> list[int]:
    try:
        column.cast(pa.string())
    except pa.ArrowInvalid:
        return [row for row, cell in enumerate(column.to_pylist()) if isinstance(_text(cell), bytes)]
    return []


def _written(batch: pa.RecordBatch, dialect: Dialect, row: int) -> str:
    return _line([column[row].as_py() for column in batch.columns], dialect)


def _line(row: Sequence[str | bytes], dialect: Dialect) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=dialect.delimiter, quotechar=dialect.quote or '"', lineterminator=_END)
    writer.writerow([text_of(cell) if isinstance(cell, bytes) else cell for cell in row])
    return file.getvalue().removesuffix(_END)


def _text(data: bytes) -> str | bytes:
    """Give text, or the bytes that are none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


class Peeked(Ahead):
    """A source whose `start` is known before: up to its first bytes that are not blank, and no byte order mark.

    Arrow looks for the mark in UTF-8 alone.
    """

    def __init__(self, source: Source) -> None:
        start = data = source.read(PEEK)
        while data and not start.strip():
            data = source.read(PEEK)
            start += data
        self.start = start.removeprefix(codecs.BOM_UTF8)
        super().__init__(self.start, source)


def _opened(source: Source, columns: Sequence[str], *, header: bool, dialect: Dialect, invalid: Any = None) -> Any:
    readable: Any = source
    file: Any = pa.PythonFile(readable, mode="r")
    return arrow_csv.open_csv(
        file,
        read_options=arrow_csv.ReadOptions(
            block_size=BLOCK,
            # Damaged records are counted by one thread only.
            use_threads=invalid is None,
            column_names=None if header else list(columns),
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=dialect.quote is not None,
            invalid_row_handler=invalid,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(columns) if header else None,
            strings_can_be_null=False,
        ),
    )
