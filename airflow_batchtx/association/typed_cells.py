"""CSV whose cells become numbers while they are cut, without ever being text: three times as fast.

Only where that gives what `narrowing` makes of the texts. A parser of numbers takes `007` for 7; so whole numbers are
cut as text, and looked at. In a column of doubles none can be a code, or be rounded, while none is whole: where one
turns up, the bytes around it are searched for codes, and if there is any, the column is read anew, as text.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from airflow_batchtx.association.columns import Columns
from airflow_batchtx.association.csv_answers import CsvAnswers
from airflow_batchtx.association.narrowing import held
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.rows import CsvRows
from airflow_batchtx.association.side_by_side import Stream, as_many, beside
from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectReader, ObjectStore


def _class_of(byte: int) -> int:
    if byte in b',"\r\n':
        return ord(",")
    return byte if byte == ord("0") else ord("1" if byte in b"123456789" else ".")


KINDS: Mapping[str, pa.DataType] = {"int64": pa.int64(), "double": pa.float64(), "string": pa.string()}
_JSON = (b"{", b"[")
# From here on a double does not hold every whole number.
_EXACT = 2.0**53
# Bytes by what they are at the beginning of a cell: what stands before one, 0, another digit, anything else.
_BREAK = b","
_CLASSES = bytes.maketrans(bytes(range(256)), bytes(map(_class_of, range(256))))
_CODES = (b",00", b",01")
_LENGTH = 3
# Bytes of a piece, how many are read ahead, and how many seconds a read waits at most until it is its turn.
PIECE, AHEAD, PATIENCE = 512 * 1024, 6, 1.0
_ALL = 2**63


@dataclass(frozen=True, slots=True)
class Manner:
    """How objects are cut: which columns stay text, and whether cells may be `quoted`, and hold line breaks then."""

    texts: frozenset[str] = frozenset()
    quoted: bool = False


PLAIN = Manner()


@dataclass(eq=False)
class Otherwise(Exception):
    """A pair is to be read in another manner: with more columns of text, or with quotes."""

    manner: Manner


class Source:
    """A file for Arrow, which makes a batch of each piece that it reads, and of the end of the piece before.

    Pieces are kept until they are forgotten. By itself Arrow would read dozens of them ahead.
    """

    closed = False

    def __init__(self, source: ObjectReader) -> None:
        self._source = source
        # Each with what the one before it ends in.
        self._pieces: dict[int, tuple[bytes, bytes]] = {}
        self._coded: dict[int, bool] = {}
        self._read, self._end, self._blank = 0, _BREAK, True
        self._forgotten, self._more = 0, threading.Condition()
        # Whether it begins as JSON does, whose braces and quotes would pass for cells, and whether it has any quote.
        self.is_json = self.is_quoted = False

    def read(self, size: int) -> bytes:
        """Return as many bytes, fewer only at the end."""
        with self._more:
            # Arrow may wait for a read to end before it tells of an error: it must never wait for ever.
            self._more.wait_for(lambda: self._read < self._forgotten + AHEAD, timeout=PATIENCE)
        data = self._source.read(size)
        if self._blank and (start := data.lstrip()):
            self._blank, self.is_json = False, start.startswith(_JSON)
        self.is_quoted = self.is_quoted or b'"' in data
        self._pieces[self._read] = self._end, data
        self._end = (self._end + data[1 - _LENGTH :])[1 - _LENGTH :]
        self._read += 1
        return data

    def forget(self, number: int) -> None:
        """Keep this piece no longer, and let others be read."""
        self._pieces.pop(number, None)
        self._coded.pop(number, None)
        with self._more:
            self._forgotten = number + 1
            self._more.notify_all()

    def release(self) -> None:
        """Let everything be read: nobody will use it."""
        self.forget(_ALL)

    def may_hold_codes(self, number: int) -> bool:
        """Tell whether any cell in a piece begins with a zero that another digit follows."""
        if number not in self._coded and number in self._pieces:
            classes = b"".join(part.translate(_CLASSES) for part in self._pieces[number])
            self._coded[number] = any(code in classes for code in _CODES)
        return self._coded.get(number, False)


def may_be(columns: Columns) -> bool:
    """Tell whether rows and answers can be read so: as CSV, in types that are found in text."""
    reading = columns.reading
    is_zipped = isinstance(reading.rows, CsvRows) and reading.rows.inputs.gzip
    is_csv = isinstance(reading.answers, CsvAnswers) and not is_zipped
    is_all = columns.kinds.keys() == reading.columns.keys() and reading.key is None
    return is_csv and is_all and set(columns.kinds.values()) <= KINDS.keys()


def rows(store: ObjectStore, pair: Pair, columns: Columns, manner: Manner) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a pair's table.

    Otherwise says in which manner to begin again; MalformedRecord and errors of Arrow's, that all is to be text.
    """
    reading = columns.reading
    known = reading.rows.batches(store, pair)
    if isinstance(reading.rows, CsvRows):
        known = _cells(store, pair.source, columns, reading.rows.columns, manner)
    answers = _cells(store, pair.answers.uri, columns, tuple(reading.answers.columns), manner)
    left, right = Stream(known), Stream(answers)
    for row, answer in beside(left, right):
        yield pa.RecordBatch.from_arrays([*row.columns, *answer.columns], schema=columns.schema)
    as_many(left, right, source=str(pair.source), output=str(pair.answers.uri))


def _cells(
    store: ObjectStore, uri: S3Uri, columns: Columns, names: Sequence[str], manner: Manner
) -> Iterator[pa.RecordBatch]:
    kinds = {name: columns.kinds[name] for name in names}
    cut = {name: KINDS["string" if kind == "int64" or name in manner.texts else kind] for name, kind in kinds.items()}
    with store.reader(uri) as source:
        file = Source(source)
        with _opened(file, cut, quoted=manner.quoted) as reader:
            try:
                for number, batch in enumerate(reader):
                    if file.is_json:
                        raise MalformedRecord("may be JSON")
                    if file.is_quoted and not manner.quoted:
                        raise Otherwise(replace(manner, quoted=True))
                    if coded := _coded(batch, file, number):
                        raise Otherwise(replace(manner, texts=manner.texts | coded))
                    file.forget(number - 1)
                    yield _typed(batch, kinds)
            finally:
                file.release()


def _coded(batch: pa.RecordBatch, file: Source, number: int) -> frozenset[str]:
    """Give the columns of doubles whose whole numbers may be codes, or rounded."""
    whole = frozenset(name for name in batch.schema.names if _has_whole(batch.column(name)))
    # The piece of the batch, the one before, in which it begins, and for good measure the next.
    is_coded = whole and any(map(file.may_hold_codes, range(number - 1, number + 2)))
    return whole if is_coded or any(_is_large(batch.column(name)) for name in whole) else frozenset()


def _typed(batch: pa.RecordBatch, kinds: Mapping[str, str]) -> pa.RecordBatch:
    columns = [_column(batch.column(name), kind) for name, kind in kinds.items()]
    return pa.RecordBatch.from_arrays(columns, names=list(kinds))


def _column(column: Any, kind: str) -> Any:
    if column.type == KINDS[kind]:
        return column
    if (typed := held(column, kind)) is None:
        raise MalformedRecord(f"is no {kind}")
    return typed


def _has_whole(column: Any) -> bool:
    return pa.types.is_floating(column.type) and pc.any(pc.equal(pc.floor(column), column)).as_py() is True


def _is_large(column: Any) -> bool:
    bounds: Any = pc.min_max(column).as_py()
    return bool(max(-bounds["min"], bounds["max"]) >= _EXACT)


def _opened(source: Source, kinds: Mapping[str, pa.DataType], *, quoted: bool) -> Any:
    file: Any = pa.PythonFile(cast("Any", source), mode="r")
    return arrow_csv.open_csv(
        file,
        read_options=arrow_csv.ReadOptions(block_size=PIECE, column_names=list(kinds)),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=quoted),
        convert_options=arrow_csv.ConvertOptions(column_types=dict(kinds), null_values=[""], strings_can_be_null=False),
        # Arrow's own pool keeps what is given back, which is nearly all of a batch.
        memory_pool=pa.system_memory_pool(),
    )
