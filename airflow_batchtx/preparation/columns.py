"""What is made of the columns that a source has: their types, and what stands for missing values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.preparation.forms import Unfit
from airflow_batchtx.storage.tables import csv_text
from airflow_batchtx.storage.tables.arrow_types import zone_of
from airflow_batchtx.storage.tables.chunks import shown
from airflow_batchtx.storage.tables.texts import column_of

# Cells that are cast one by one where one of them is wrong: mostly others are then too.
_FEW = 8
_MEND = "Mend the data, or allow for rows that are set aside by max_quarantined."


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as it is to become.

    `blank` says that a text without any characters is a null. `filling` stands in the place of nulls, a scalar of the
    same type. A `required` column has none.
    """

    name: str
    kind: pa.DataType
    blank: bool = False
    filling: Any = None
    required: bool = False


def filling(text: str, kind: pa.DataType) -> Any:
    """Make a scalar of a type, which stands for nulls, out of its text; None if there is none."""
    try:
        scalar = column_of((text,)).cast(kind)[0]
        pc.coalesce(_nulls(1, kind), scalar)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return scalar


def can_become(given: pa.DataType, kind: pa.DataType) -> bool:
    """Tell whether there are values of one type that the other has too."""
    try:
        _exactly(_nulls(0, given), kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def converted(
    batch: pa.RecordBatch, columns: Sequence[Column], most: int | None = None
) -> tuple[pa.RecordBatch, list[Unfit]]:
    """Make the columns of a batch, and tell of the cells that cannot become what they should.

    Of a column with `most` such cells no others are looked for: what it is behind them means nothing.
    """
    unfit: list[Unfit] = []
    arrays = [_converted(batch.column(about.name), about, unfit, most) for about in columns]
    schema = pa.schema([(about.name, about.kind) for about in columns])
    return pa.RecordBatch.from_arrays(arrays, schema=schema), unfit


def _converted(column: Any, about: Column, unfit: list[Unfit], most: int | None) -> Any:
    cells = csv_text.blanks_as_nulls(column) if about.blank else column
    wrong: list[int] = []
    if cells.type != about.kind:
        cells, wrong = _cast(cells, about.kind, most)
        rule, remedy = f"is no {about.kind}", "Mend the data, or give the column another type."
        unfit += (Unfit(row, about.name, shown(column, row), rule, remedy) for row in wrong)
    if about.filling is not None and cells.null_count:
        cells = pc.coalesce(cells, about.filling)
    if about.required and cells.null_count > len(wrong):
        known = frozenset(wrong)
        missing: list[int] = pc.indices_nonzero(pc.is_null(cells)).to_pylist()
        unfit += (Unfit(row, about.name, None, "is missing", _MEND) for row in missing if row not in known)
    return cells


def _cast(cells: Any, kind: pa.DataType, most: int | None) -> tuple[Any, list[int]]:
    """Cast cells, and give the places of those that are not of the type: there, nulls stand."""
    try:
        return _exactly(cells, kind), []
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pieces: list[Any] = []
        wrong: list[int] = []
        for piece, at in _halved(cells, kind):
            pieces.append(piece)
            wrong += [] if at is None else [at]
            if len(wrong) == most:
                pieces.append(_nulls(len(cells) - wrong[-1] - 1, kind))
                break
        return pa.concat_arrays(pieces), wrong


def _halved(cells: Any, kind: pa.DataType) -> Iterator[tuple[Any, int | None]]:
    """Cast ever smaller parts in order, until those that fail are single cells: few cells are wrong among many."""
    null, parts = _nulls(1, kind), [(0, len(cells))]
    while parts:
        begin, end = parts.pop()
        try:
            yield _exactly(cells.slice(begin, end - begin), kind), None
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            if end - begin == 1:
                yield null, begin
            elif end - begin <= _FEW:
                parts += ((at, at + 1) for at in reversed(range(begin, end)))
            else:
                middle = (begin + end) // 2
                parts += ((middle, end), (begin, middle))


def _exactly(cells: Any, kind: pa.DataType) -> Any:
    """Cast cells; ArrowInvalid where Arrow would drop a zone, a time of day, digits or a magnitude without a word."""
    if _loses_zone(cells.type, kind):
        raise pa.ArrowInvalid("has a zone, and the other type has none, or the other way round")
    if pa.types.is_integer(cells.type) and pa.types.is_decimal(kind):
        # Arrow wants room for every number of the type, not for those that are there.
        cells = cells.cast(pa.decimal256(76, max(kind.scale, 0)))
    found = cells.cast(kind)
    if any(was(cells.type) and becomes(kind) for was, becomes in _LOSSY) and not found.cast(cells.type).equals(cells):
        raise pa.ArrowInvalid("is not the same in the other type")
    if pa.types.is_floating(kind) and pc.any(pc.is_inf(found)).as_py():
        said = pc.is_inf(cells) if pa.types.is_floating(cells.type) else pc.match_substring_regex(cells, "(?i)inf")
        if not pc.is_inf(found).equals(said):
            raise pa.ArrowInvalid("is too large for the other type")
    return found


_LOSSY = (
    (pa.types.is_timestamp, pa.types.is_date),
    (pa.types.is_timestamp, pa.types.is_time),
    (pa.types.is_integer, pa.types.is_boolean),
    (pa.types.is_floating, pa.types.is_boolean),
    (pa.types.is_floating, pa.types.is_decimal),
)


def _loses_zone(given: pa.DataType, kind: pa.DataType) -> bool:
    was, becomes = zone_of(given), zone_of(kind)
    if becomes is not None:
        return was is not None and bool(was) != bool(becomes)
    # Of a zoned time Arrow takes the day, and the time of the day, that it is in UTC.
    return was not in (None, "", *_UTC) and (pa.types.is_date(kind) or pa.types.is_time(kind))


_UTC = ("UTC", "Etc/UTC", "+00:00")


def _nulls(count: int, kind: pa.DataType) -> Any:
    make: Any = pa.nulls
    return make(count, kind)
