"""CSV to CSV without a look into the cells: lines of answers behind lines of rows, as `paste` does it.

Only where that gives, byte for byte, what reading and writing the cells would give: lines without quotes, carriage
returns or blanks, that all have the same number of cells and are UTF-8. Every line is proved to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TypeAlias

import pyarrow as pa

from airflow_batchtx.association.columns import Columns
from airflow_batchtx.association.csv_answers import CsvAnswers
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.association.rows import CsvRows, Rows
from airflow_batchtx.association.table import Layout, PartWriter
from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.associated import Part
from airflow_batchtx.storage.port import ObjectReader
from airflow_batchtx.storage.tables import csv_records, csv_text

# Bytes at once: they stay in the processor's cache while they are looked at from all sides.
BLOCK = 256 * 1024
_MARKS = b',\n"\r\0'
_OTHERS = bytes(set(range(256)) - set(_MARKS))
_STRANGE = (b"{", b"[", b"\xef\xbb\xbf")

# Whole lines, and their number.
Lines: TypeAlias = "tuple[bytes, int]"


def pasted(request: AssociateRequest, layout: Layout, columns: Columns) -> tuple[Part, ...]:
    """Write a pair's part, if that can be done in this way; else nothing is written."""
    answers = columns.reading.answers
    if not (isinstance(answers, CsvAnswers) and _may_be(request, columns)):
        return ()
    store, pair = layout.store, layout.pair
    try:
        with store.reader(pair.answers.uri) as source, PartWriter(layout, columns.schema) as part:
            cells = plain(source, len(answers.columns))
            for text, rows in beside(_rows(layout, columns.reading.rows), cells):
                part.paste(text, rows)
    except MalformedRecord:
        # What is wrong with the records, if anything, is found when they are read.
        return ()
    return part.parts


def _may_be(request: AssociateRequest, columns: Columns) -> bool:
    """Tell whether every cell is written as it was read, and each row behind the one before."""
    is_text = set(columns.kinds.values()) <= {"string"}
    is_one = not (request.partition_by or request.error_member or columns.reading.key or columns.reading.joined)
    return request.format == "csv" and is_text and is_one


def _rows(layout: Layout, rows: Rows) -> Iterator[Lines]:
    store, pair = layout.store, layout.pair
    if isinstance(rows, CsvRows) and not rows.inputs.gzip:
        with store.reader(pair.source) as source:
            yield from plain(source, len(rows.columns))
    else:
        yield from written(rows.batches(store, pair))


def plain(source: ObjectReader, width: int) -> Iterator[Lines]:
    """Yield an object's lines; MalformedRecord where one has not `width` plain cells."""
    rest, begun = b"", False
    while data := source.read(BLOCK):
        data = rest + data
        end = data.rfind(b"\n") + 1
        whole, rest = data[:end], data[end:]
        if len(rest) > csv_records.BLOCK:
            raise MalformedRecord("holds a record that is too long")
        if whole:
            yield _proved(whole, width, begun=begun)
            begun = True
    if rest:
        yield _proved(rest + b"\n", width, begun=begun)


def _proved(lines: bytes, width: int, *, begun: bool) -> Lines:
    line = b"," * (width - 1) + b"\n"
    # What is left of the lines is all that gives them structure; so few bytes are compared quickly.
    marks = lines.translate(None, _OTHERS)
    count = len(marks) // len(line)
    is_blank = width == 1 and (lines.startswith(b"\n") or b"\n\n" in lines)
    if marks != line * count or is_blank or not _is_text(lines):
        raise MalformedRecord("holds lines that are not plain")
    if not begun and lines[: csv_records.BLOCK].lstrip().startswith(_STRANGE):
        raise MalformedRecord("may be no CSV")
    return lines, count


def _is_text(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def written(batches: Iterable[pa.RecordBatch]) -> Iterator[Lines]:
    """Yield rows as lines of CSV; MalformedRecord where a cell goes over several."""
    for batch in batches:
        text = csv_text.lines(batch).to_pybytes()
        if text.count(b"\n") != batch.num_rows:
            raise MalformedRecord("holds line breaks in cells")
        yield text, batch.num_rows


def beside(rows: Iterable[Lines], answers: Iterable[Lines]) -> Iterator[Lines]:
    """Put a line of answers behind each line; MalformedRecord where there are more of the one than of the other."""
    cells = chain.from_iterable(text.splitlines() for text, _ in answers)
    for text, count in rows:
        taken = tuple(islice(cells, count))
        if len(taken) != count:
            raise MalformedRecord("holds fewer answers than rows")
        # Formatting is the quickest way to put bytes between others: by half the speed of memory.
        yield text.replace(b"%", b"%%").replace(b"\n", b",%b\n") % taken, count
    if next(cells, None) is not None:
        raise MalformedRecord("holds more answers than rows")
