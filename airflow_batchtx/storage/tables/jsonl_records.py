"""JSON Lines objects as record batches: an object a line, its members as columns, a member left out a null.

Integers are 64 bits wide, other numbers are doubles, unless a column is to be decimal or text: then every digit stays.
A number or truth value in a column of texts is its text. Nested objects and lists stay nested. An empty line is no
record; a byte order mark is skipped.
"""

from __future__ import annotations

import codecs
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json as arrow_json

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables import compressed
from airflow_batchtx.storage.tables.chunks import Chunk, Damage, text_of

# Bytes parsed at once, and looked at to see what members there are.
BLOCK = 2 * 1024 * 1024
# Bytes of the longest line.
LONGEST = 64 * 1024 * 1024

Members = dict[str, Any]


def schema_of(
    store: ObjectStore, uri: S3Uri, given: Mapping[str, pa.DataType], compression: str | None = None
) -> pa.Schema:
    """Find the members and their types by an object's first lines; MalformedRecord if those are no JSON Lines.

    A type that is `given` counts where JSON can be read as it: a number, a text or a truth value. What is null in all
    of the first lines has Arrow's null type, behind them too.
    """
    with compressed.opened(store, uri, compression) as source:
        _, block = next(_blocks(source), (0, b""))
    records = [record for record in map(_record, _lines(block)) if isinstance(record, dict)]
    names = dict.fromkeys(name for record in records for name in record)
    if not names:
        raise MalformedRecord("holds no JSON objects with members, one a line" if block.strip() else "is empty")
    return pa.schema([(name, _kind([record.get(name) for record in records], given.get(name))) for name in names])


def chunks(
    store: ObjectStore, uri: S3Uri, schema: pa.Schema, *, others: bool, compression: str | None = None
) -> Iterator[Chunk]:
    """Yield all rows of an object with the columns of a schema, records that do not fit it apart.

    `others` says whether a record may have further members.
    """
    number = 0
    with compressed.opened(store, uri, compression) as source:
        for offset, block in _blocks(source):
            end = source.position(offset)
            batch = _fast(block, schema, others=others)
            if batch is None:
                chunk, number = _slow(block, schema, number, end, others=others)
                yield chunk
            else:
                yield Chunk(batch, range(number + 1, number + batch.num_rows + 1), end, text=_written(block))
                number += batch.num_rows


def is_scalar(kind: pa.DataType) -> bool:
    """Tell whether JSON's numbers, texts or truth values are read as this type; others are made of them."""
    return any(holds(kind) for holds, _ in _SCALARS)


# ------------------------------------------------------------------------------------------------- lines of bytes


def _blocks(source: compressed.Contents) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, and how many bytes of the object's contents they and those before them are."""
    offset, held = 0, source.read(BLOCK).removeprefix(codecs.BOM_UTF8)
    while held:
        more = source.read(BLOCK)
        cut = held.rfind(b"\n") + 1 if more else len(held)
        if cut:
            offset += cut
            yield offset, held[:cut]
        held = held[cut:] + more
        if len(held) > LONGEST + BLOCK and b"\n" not in held:
            raise MalformedRecord(f"has a line longer than {LONGEST:,} bytes behind byte {offset:,}")


def _written(block: bytes) -> Callable[[int], str]:
    lines: list[bytes] = []

    def text(row: int) -> str:
        if not lines:
            lines.extend(_lines(block))
        return text_of(lines[row].rstrip(b"\r"))

    return text


def _lines(block: bytes) -> list[bytes]:
    return [line for line in block.split(b"\n") if line.strip()]


# ---------------------------------------------------------------------------------------------------- the fast way


def _fast(block: bytes, schema: pa.Schema, *, others: bool) -> pa.RecordBatch | None:
    """Let Arrow read a block; None where anything about it is not as it should be."""
    if any(_holds_nulls(kind) for kind in schema.types):
        return None
    # Of a structure Arrow would drop what the schema has not.
    ignored = others and not any(pa.types.is_nested(kind) for kind in schema.types)
    try:
        block.decode()
        source: Any = pa.BufferReader(block)
        table = arrow_json.read_json(
            source,
            read_options=arrow_json.ReadOptions(block_size=len(block) + 1, use_threads=False),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore" if ignored else "error"
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None
    if not _one_a_line(block, table.num_rows):
        return None
    found: pa.RecordBatch = table.select(schema.names).combine_chunks().to_batches()[0]
    return found


def _holds_nulls(kind: pa.DataType) -> bool:
    """Tell whether nothing but nulls is known of what is inside: Arrow 26 loses some of those in lists."""
    inner = [kind.field(at).type for at in range(kind.num_fields)]
    return any(pa.types.is_null(one) or _holds_nulls(one) for one in inner)


def _one_a_line(block: bytes, rows: int) -> bool:
    """Tell whether rows that Arrow found are a line each: it takes several objects in one, and a null for a record."""
    if block.count(b"\n{") + block.startswith(b"{") == rows:
        return True
    lines = _lines(block)
    return len(lines) == rows and all(line.lstrip().startswith(b"{") for line in lines)


# --------------------------------------------------------------------------------------------------- record by record


def _slow(block: bytes, schema: pa.Schema, before: int, end: int, *, others: bool) -> tuple[Chunk, int]:
    """Read a block line by line; gives the number of its last record too."""
    lines = _lines(block)
    read = [_record(line) for line in lines]
    wrong = {row: found for row, found in enumerate(read) if isinstance(found, Damage)}
    records: list[Members] = [{} if isinstance(found, Damage) else found for found in read]
    if not others:
        wrong |= {row: found for row, record in enumerate(records) if (found := _stranger(record, schema)) is not None}
    columns = []
    for field in schema:
        values = [record.get(field.name) for record in records]
        fitting, misfits = _fitted(values, field.type)
        columns.append(fitting)
        rule = _RULES.get(field.type, f"is no {field.type}")
        told = ((row, Damage(rule, _shown(values[row]), column=field.name)) for row in misfits)
        wrong |= {row: damage for row, damage in told if row not in wrong}
    left = [row for row in range(len(lines)) if row not in wrong]
    arrays = [pa.array([column[row] for row in left], kind) for column, kind in zip(columns, schema.types, strict=True)]
    damaged = tuple(
        replace(wrong[row], record=before + row + 1, text=text_of(lines[row].rstrip(b"\r"))) for row in sorted(wrong)
    )
    text = _written(b"\n".join(lines[row] for row in left))
    numbers = [before + row + 1 for row in left]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    return Chunk(batch, numbers, end, damaged, text), before + len(lines)


def _stranger(record: Members, schema: pa.Schema) -> Damage | None:
    name = next((name for name in record if name not in schema.names), None)
    return None if name is None else Damage("is a member that the first lines do not have", record[name], column=name)


def _record(line: bytes) -> Members | Damage:
    """Read a line; floating numbers with all their digits."""
    try:
        value = _JSON.decode(line.decode())
    except UnicodeDecodeError:
        return Damage("is not UTF-8", line)
    except (ValueError, RecursionError) as error:
        return Damage(f"is no JSON: {error}", text_of(line))
    return value if isinstance(value, dict) else Damage("is no JSON object", text_of(line))


def _once(pairs: list[tuple[str, Any]]) -> Members:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("two members of the same name")
    return found


# Made once: it takes as long as to read a line.
_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=float, object_pairs_hook=_once)
_RULES: Mapping[pa.DataType, str] = {
    pa.null(): "is a value where the first lines have none, so that its type is not known"
}


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


# --------------------------------------------------------------------------------------------------- values and types


class _Unlike(Exception):
    """A value is not of a type."""


def _kind(values: Sequence[Any], given: pa.DataType | None) -> pa.DataType:
    """Find the type of most values; what does not fit it is told of when it is read, by its place."""
    if given is not None and is_scalar(given):
        return given
    families = [_FAMILY.get(type(value), "") for value in values]
    known = Counter(family for family in families if family)
    if not known:
        return pa.null() if given is None else pa.string()
    most = known.most_common(1)[0][0]
    alike = [_natural(value) for value, family in zip(values, families, strict=True) if family == most]
    for sample in (alike, alike[:1]):
        with suppress(pa.ArrowException, OverflowError):
            return _inferred(sample)
    # Only a whole number beyond 64 bits has none.
    return pa.int64()


def _inferred(sample: Sequence[Any]) -> pa.DataType:
    infer: Any = pa.infer_type
    found: pa.DataType = infer(sample)
    return found


_FAMILY: Mapping[type, str] = {
    str: "text", bool: "flag", int: "number", float: "number", Decimal: "number", dict: "object", list: "list",
}  # fmt: skip


def _natural(value: Any) -> Any:
    """Give a value as Arrow finds its type by: decimals as doubles, all the way down."""
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {name: _natural(part) for name, part in value.items()}
        case list():
            return [_natural(part) for part in value]
        case _:
            return value


def _fitted(values: Sequence[Any], kind: pa.DataType) -> tuple[Sequence[Any], list[int]]:
    """Give values that a column of the type takes, None for those that it does not, and the places of these."""
    if set(map(type, values)) <= {*_EXACT.get(kind, ()), type(None)}:
        found = list(values)
    else:
        read = _reader(kind)
        found = [None if value is None else _or_misfit(read, value, kind) for value in values]
    if not (any(value is _MISFIT for value in found)) and _takes(kind, found):
        return found, []
    misfits = [row for row, value in enumerate(found) if value is _MISFIT or not _takes(kind, (value,))]
    for row in misfits:
        found[row] = None
    return found, misfits


_MISFIT = object()
# Values of these types of Python's are taken as they are.
_EXACT: Mapping[pa.DataType, tuple[type, ...]] = {pa.int64(): (int,), pa.string(): (str,), pa.bool_(): (bool,)}


def _takes(kind: pa.DataType, values: Sequence[Any]) -> bool:
    try:
        pa.array(values, kind)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError):
        return False
    return True


def _reader(kind: pa.DataType) -> Callable[[Any, pa.DataType], Any]:
    return next((read for holds, read in _SCALARS if holds(kind)), _nested)


def _or_misfit(read: Callable[[Any, pa.DataType], Any], value: Any, kind: pa.DataType) -> Any:
    try:
        return read(value, kind)
    except _Unlike:
        return _MISFIT


def _value(value: Any, kind: pa.DataType) -> Any:
    """Give a value inside of another as its type takes it; _Unlike says that it cannot without a loss."""
    return None if value is None else _reader(kind)(value, kind)


# No whole number of Arrow has more.
_DIGITS = 20


def _whole(value: Any, _: pa.DataType) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Unlike
    # 1e999999999 would be a whole number of as many digits.
    if isinstance(value, Decimal) and (value.adjusted() > _DIGITS or value != int(value)):
        raise _Unlike
    return int(value)


def _floating(value: Any, _: pa.DataType) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _Unlike
    try:
        found = float(value)
    except OverflowError as error:
        raise _Unlike from error
    if math.isinf(found) and not isinstance(value, float):
        raise _Unlike
    return found


def _decimal(value: Any, _: pa.DataType) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise _Unlike
    try:
        return Decimal(value)
    except ArithmeticError as error:
        raise _Unlike from error


def _text(value: Any, _: pa.DataType) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case _:
            raise _Unlike


def _flag(value: Any, _: pa.DataType) -> bool:
    if not isinstance(value, bool):
        raise _Unlike
    return value


def _nested(value: Any, kind: pa.DataType) -> Any:
    """Give a nested value, if the type has all that is in it."""
    if pa.types.is_struct(kind) and isinstance(value, dict):
        names = {kind.field(at).name: kind.field(at).type for at in range(kind.num_fields)}
        if not value.keys() <= names.keys():
            raise _Unlike
        return {name: _value(part, names[name]) for name, part in value.items()}
    if pa.types.is_list(kind) and isinstance(value, list):
        return [_value(part, kind.value_type) for part in value]
    raise _Unlike


_SCALARS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any]], ...] = (
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, _floating),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_string, _text),
    (pa.types.is_boolean, _flag),
)
