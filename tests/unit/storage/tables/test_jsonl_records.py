from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.tables.chunks import Chunk, Damage
from airflow_batchtx.storage.tables.jsonl_records import BLOCK, chunks, schema_of
from tests.fakes import InMemoryStore

URI = S3Uri("b", "k")


def schema(body: bytes, **given: pa.DataType) -> dict[str, pa.DataType]:
    found = schema_of(InMemoryStore({str(URI): body}), URI, given)
    return dict(zip(found.names, found.types, strict=True))


def read(body: bytes, kinds: dict[str, pa.DataType], *, others: bool = True) -> list[Chunk]:
    return list(chunks(InMemoryStore({str(URI): body}), URI, pa.schema(list(kinds.items())), others=others))


def rows(body: bytes, kinds: dict[str, pa.DataType], *, others: bool = True) -> list[dict[str, Any]]:
    return [row for chunk in read(body, kinds, others=others) for row in chunk.batch.to_pylist()]


def damaged(body: bytes, kinds: dict[str, pa.DataType], *, others: bool = True) -> list[tuple[Any, ...]]:
    found = [damage for chunk in read(body, kinds, others=others) for damage in chunk.damaged]
    return [(damage.record, damage.column, damage.value) for damage in found]


WHOLE, FLOATING, TEXT = pa.int64(), pa.float64(), pa.string()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("1 -2 null", WHOLE),
        ("9223372036854775807", WHOLE),
        ("18446744073709551615", WHOLE),
        ("1 2.5", FLOATING),
        ("1e3", FLOATING),
        ('"x" "2026-01-02T00:00:00"', TEXT),
        ("true null", pa.bool_()),
        ("null", pa.null()),
        ("[1,2] []", pa.list_(WHOLE)),
        ('{"a":1} {"b":"x"}', pa.struct([("a", WHOLE), ("b", TEXT)])),
        ('1 2 "n/a"', WHOLE),
        ('"x" 1', TEXT),
    ],
)
def test_a_type_is_that_of_most_of_the_first_values(values: str, kind: pa.DataType) -> None:
    body = "".join(f'{{"x":{value}}}\n' for value in values.split()).encode()

    assert schema(body) == {"x": kind}


def test_members_are_those_of_all_first_lines_in_order() -> None:
    assert list(schema(b'{"b":1}\n\n{"a":1,"b":2}\nno json\n{"c":1}')) == ["b", "a", "c"]


@pytest.mark.parametrize("kind", [pa.decimal128(20, 3), TEXT, pa.int32(), pa.float32(), pa.bool_()])
def test_a_given_type_counts_if_json_is_read_as_it(kind: pa.DataType) -> None:
    assert schema(b'{"x":1}\n', x=kind) == {"x": kind}


def test_other_given_types_are_made_of_what_is_there() -> None:
    body = b'{"day":"2026-01-02","none":null}\n'

    assert schema(body, day=pa.date32(), none=pa.date32()) == {"day": TEXT, "none": TEXT}


@pytest.mark.parametrize("body", [b"", b"\n", b"1,2\n", b"[1]\n", b"{}\n", b"id,x\n1,2\n"])
def test_what_is_no_json_lines_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        schema(body)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("9223372036854775807", WHOLE, 2**63 - 1),
        ("-9223372036854775808", WHOLE, -(2**63)),
        ("18446744073709551615", pa.uint64(), 2**64 - 1),
        ("12345678901234567890.12", pa.decimal128(38, 2), Decimal("12345678901234567890.12")),
        ('"1.10"', pa.decimal128(38, 2), Decimal("1.10")),
        ("1.10", TEXT, "1.10"),
        ("12345678901234567890123", TEXT, "12345678901234567890123"),
        ("true", TEXT, "true"),
        ("1", FLOATING, 1.0),
        ("1.0", WHOLE, 1),
        ('"a\\nb\\u20ac"', TEXT, "a\nb€"),
        ("null", WHOLE, None),
        ('{"a":[{"b":1.5}]}', pa.struct([("a", pa.list_(pa.struct([("b", FLOATING)])))]), {"a": [{"b": 1.5}]}),
        ("[null,2]", pa.list_(WHOLE), [None, 2]),
        ("[null,null]", pa.list_(pa.null()), [None, None]),
        ('{"a":[null]}', pa.struct([("a", pa.list_(pa.null()))]), {"a": [None]}),
    ],
)
def test_values_keep_all_of_their_digits(text: str, kind: pa.DataType, value: object) -> None:
    assert rows(f'{{"x":{text}}}'.encode(), {"x": kind}) == [{"x": value}]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("9223372036854775808", WHOLE),
        ("1.5", WHOLE),
        ("1e999999999", WHOLE),
        ("true", WHOLE),
        ('"1"', WHOLE),
        ("1e999", FLOATING),
        ("[1]", TEXT),
        ('"\\ud800"', TEXT),
        ("1.005", pa.decimal128(10, 2)),
        ('"one"', pa.decimal128(10, 2)),
        ("1", pa.bool_()),
        ("5", pa.null()),
        ('{"b":1}', pa.struct([("a", WHOLE)])),
        ('{"a":"x"}', pa.struct([("a", WHOLE)])),
        ("[1.5]", pa.list_(WHOLE)),
        ("5", pa.list_(WHOLE)),
    ],
)
def test_what_is_not_of_its_type_is_apart(text: str, kind: pa.DataType) -> None:
    body = f'{{"x":null}}\n{{"x":{text}}}\n{{"x":null}}'.encode()
    found = read(body, {"x": kind})

    assert [number for chunk in found for number in chunk.numbers] == [1, 3]
    [damage] = [damage for chunk in found for damage in chunk.damaged]
    assert (damage.record, damage.column, damage.text) == (2, "x", f'{{"x":{text}}}')


@pytest.mark.parametrize("line", [b"no", b"[1]", b'{"x":1', b'{"x":1,"x":2}', b'{"x":"\xff"}', b"null", b"{}{}", b"1"])
def test_what_is_no_object_is_apart(line: bytes) -> None:
    found = read(b'\xef\xbb\xbf{"x":1}\r\n\r\n' + line + b'\n{"x":3}\n', {"x": WHOLE})

    assert [
        (row["x"], number)
        for chunk in found
        for row, number in zip(chunk.batch.to_pylist(), chunk.numbers, strict=True)
    ] == [(1, 1), (3, 3)]
    assert [damage.record for chunk in found for damage in chunk.damaged] == [2]


def test_other_members_are_left_out_or_apart() -> None:
    body = b'{"x":1}\n{"x":2,"y":3}\n'

    assert rows(body, {"x": WHOLE}) == [{"x": 1}, {"x": 2}]
    assert damaged(body, {"x": WHOLE}, others=False) == [(2, "y", 3)]


def test_what_is_left_out_is_null() -> None:
    assert rows(b'{"y":1}\n{"x":2}\n', {"x": WHOLE, "y": WHOLE}) == [{"x": None, "y": 1}, {"x": 2, "y": None}]


def test_a_row_is_shown_as_it_was_written() -> None:
    [fast] = read(b'{"x": 1.50}\r\n{"x": 2}\n', {"x": FLOATING})
    [slow] = read(b'{"x": 1.50}\r\n{"x": 2}\nno\n', {"x": FLOATING})

    assert [chunk.written(row) for chunk in (fast, slow) for row in (0, 1)] == ['{"x": 1.50}', '{"x": 2}'] * 2


def test_objects_of_many_blocks_are_read() -> None:
    lines = [json.dumps({"x": number, "y": "y" * (number % 90)}) for number in range(90_000)]
    lines[50_000] = "no"
    body = gzip.compress("\n".join(lines).encode(), mtime=0)
    store = InMemoryStore({str(URI): body})
    found = list(chunks(store, URI, pa.schema([("x", WHOLE)]), others=True, compression="gzip"))

    numbers = [number for chunk in found for number in chunk.numbers]
    assert numbers == [number for number in range(1, 90_001) if number != 50_001]
    assert [row["x"] for chunk in found for row in chunk.batch.to_pylist()] == [number - 1 for number in numbers]
    assert [damage.record for chunk in found for damage in chunk.damaged] == [50_001]
    ends = [chunk.end for chunk in found]
    assert ends == sorted(ends)
    assert ends[-1] == len(body)
    assert len("\n".join(lines)) > 2 * BLOCK


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=4,
)
records = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(
    st.lists(records | st.just("no"), min_size=1, max_size=8).filter(
        lambda found: any(isinstance(one, dict) and one for one in found)
    )
)
def test_every_record_is_a_row_or_apart_with_its_own_values(found: list[Any]) -> None:
    body = "\n".join(one if one == "no" else json.dumps(one) for one in found).encode()
    kinds = schema(body)
    parts = read(body, kinds)

    told = [damage.record for chunk in parts for damage in chunk.damaged]
    numbers = [number for chunk in parts for number in chunk.numbers]
    assert sorted([*told, *numbers]) == list(range(1, len(found) + 1))
    for number, row in zip(numbers, [row for chunk in parts for row in chunk.batch.to_pylist()], strict=True):
        record = found[number - 1]
        assert all(_same(record.get(name), row[name]) for name in kinds)


def _same(value: Any, read: Any) -> bool:
    """Compare but for members that a structure has as nulls, and for what text a number of a text column is."""
    if isinstance(value, dict):
        return all(_same(value.get(name), part) for name, part in read.items())
    if isinstance(value, list):
        return len(value) == len(read) and all(map(_same, value, read))
    if isinstance(read, str) and not isinstance(value, str):
        return value is not None
    return bool(value == read)


def test_damage_is_told_with_its_rule() -> None:
    [chunk] = read(b'{"x":"a"}', {"x": WHOLE})

    assert chunk.damaged == (Damage("is no int64", "a", 1, "x", '{"x":"a"}'),)
