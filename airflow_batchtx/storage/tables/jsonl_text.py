"""Record batches as JSON Lines.

Numbers are written with all their digits: floating ones as the shortest text that reads back as the same number,
decimals as numbers with every digit that they have. Dates and times are texts in ISO 8601 (a time with a zone as its
UTC time, with a Z); lists, structures and mappings of texts stay what they are; a null is a null. Every record is one
line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batchtx.storage.tables.csv_text import written
from airflow_batchtx.storage.tables.texts import body_of, constant, put_together, text_of

Is = Callable[[pa.DataType], bool]
# How a record begins, and how it ends; between them stand its columns.
RECORDS: Mapping[str, tuple[str, str]] = {
    "object": ("{", "}\n"),
    "array": ("[", "]\n"),
    "features": ('{"features":[', "]}\n"),
}
# What must not stand in a JSON text as it is, and what stands there for it.
_ESCAPED = '["\\\\\\x00-\\x1f]'
_CONTROLS = tuple(map(chr, range(0x20)))


def can_hold(kind: Any) -> bool:
    """Tell whether JSON can hold values of this Arrow type: no raw bytes, no spans, no mappings of other than texts."""
    if pa.types.is_dictionary(kind):
        return can_hold(kind.value_type)
    if pa.types.is_struct(kind):
        return all(can_hold(kind.field(at).type) for at in range(kind.num_fields))
    if pa.types.is_map(kind):
        return any(holds(kind.key_type) for holds in _TEXTS) and can_hold(kind.item_type)
    if any(holds(kind) for holds in _LISTS):
        return can_hold(kind.value_type)
    return any(holds(kind) for holds in (*_BARE, *_TEXTS, *_TIMES))


def lines(batch: pa.RecordBatch, record: str = "object") -> pa.Buffer:
    """Write one line for each row, as one of RECORDS; an object has the columns' names, the others have their order."""
    begin, end = RECORDS[record]
    members = _members(batch.schema.names, batch.columns) if record == "object" else _separated(batch.columns)
    return body_of(put_together(begin, *members, end))


def not_numbers(batch: pa.RecordBatch) -> Iterator[tuple[int, str, float]]:
    """Yield every floating number that JSON does not have: its row from 0, its column, and it."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for rows, numbers in _floating(column, None):
            finite = pc.is_finite(numbers)
            if pc.all(finite).as_py() is False:
                strange: list[int] = pc.indices_nonzero(pc.invert(finite)).to_pylist()
                yield from ((at if rows is None else rows[at].as_py(), name, numbers[at].as_py()) for at in strange)


def _floating(column: Any, rows: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the floating numbers in a column, however deep, with the row of each; None where they are the rows."""
    kind = column.type
    if pa.types.is_floating(kind):
        yield rows, column.cast(pa.float64())
    elif pa.types.is_dictionary(kind):
        yield from _floating(column.dictionary_decode(), rows)
    elif pa.types.is_struct(kind):
        for member in column.flatten():
            yield from _floating(member, rows)
    elif pa.types.is_map(kind):
        yield from _floating(
            column.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))), rows
        )
    elif any(holds(kind) for holds in _LISTS):
        listed = column.cast(pa.list_(kind.value_type))
        parents: Any = pc.list_parent_indices(listed)
        yield from _floating(pc.list_flatten(listed), parents if rows is None else rows.take(parents))


# ------------------------------------------------------------------------------------------------ kinds of values


def _cells(column: Any) -> Any:
    """Write each value of a column as JSON; none is null."""
    kind = column.type
    write = next((write for holds, write in _WRITERS if any(test(kind) for test in holds)), None)
    if write is None:
        raise TypeError(f"JSON cannot hold {kind}")
    return pc.coalesce(write(column), constant("null"))


def _decoded(column: Any) -> Any:
    return _cells(column.dictionary_decode())


def _time(column: Any) -> Any:
    return put_together('"', written(column).cast(pa.string()), '"')


def _text(column: Any) -> Any:
    return put_together('"', _escaped(column.cast(pa.string())), '"')


def _escaped(texts: Any) -> Any:
    if not pc.any(pc.match_substring_regex(texts, _ESCAPED)).as_py():
        return texts
    texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    for mark in _CONTROLS:
        if pc.any(pc.match_substring(texts, mark)).as_py():
            texts = pc.replace_substring(texts, mark, json.dumps(mark)[1:-1])
    return texts


def _list(column: Any) -> Any:
    listed = column.cast(pa.list_(column.type.value_type))
    return _where_valid(listed, "[", _joined(listed, lambda first, size: _cells(listed.values.slice(first, size))), "]")


def _map(column: Any) -> Any:
    def entries(first: int, size: int) -> Any:
        return put_together(_text(column.keys.slice(first, size)), ":", _cells(column.items.slice(first, size)))

    return _where_valid(column, "{", _joined(column, entries), "}")


def _struct(column: Any) -> Any:
    names = [column.type.field(at).name for at in range(column.type.num_fields)]
    return _where_valid(column, "{", *_members(names, [pc.struct_field(column, [at]) for at in range(len(names))]), "}")


def _where_valid(column: Any, *parts: Any) -> Any:
    return pc.if_else(pc.is_valid(column), put_together(*parts), constant("null"))


def _joined(column: Any, write: Callable[[int, int], Any]) -> Any:
    """Join the values of each list, which `write` gives as texts from a first one on, with commas between."""
    first, last = column.offsets[0].as_py(), column.offsets[len(column)].as_py()
    begins: Any = pc.subtract(column.offsets, column.offsets[0])
    return pc.binary_join(pa.ListArray.from_arrays(begins, write(first, last - first)), constant(","))


def _members(names: Sequence[str], columns: Sequence[Any]) -> list[Any]:
    keys = [f"{json.dumps(name, ensure_ascii=False)}:" for name in names]
    begins = [f",{key}" if at else key for at, key in enumerate(keys)]
    return [part for begin, column in zip(begins, columns, strict=True) for part in (begin, _cells(column))]


def _separated(columns: Sequence[Any]) -> list[Any]:
    return [part for column in columns for part in (",", _cells(column))][1:]


_TEXTS: tuple[Is, ...] = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BARE: tuple[Is, ...] = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null,
)  # fmt: skip
_TIMES: tuple[Is, ...] = (pa.types.is_date, pa.types.is_time, pa.types.is_timestamp)
_LISTS: tuple[Is, ...] = (
    pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view,
    pa.types.is_large_list_view,
)  # fmt: skip
_WRITERS: Sequence[tuple[Sequence[Is], Callable[[Any], Any]]] = (
    (_BARE, text_of),
    (_TEXTS, _text),
    (_TIMES, _time),
    ((pa.types.is_dictionary,), _decoded),
    ((pa.types.is_struct,), _struct),
    ((pa.types.is_map,), _map),
    (_LISTS, _list),
)
