from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.storage.tables.jsonl_text import RECORDS, can_hold, lines, not_numbers

BERLIN = timezone(timedelta(hours=1))
NAN, INF = float("nan"), float("inf")


def written(record: str = "object", **columns: Any) -> str:
    return bytes(lines(pa.RecordBatch.from_pydict(columns), record)).decode()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([2**63 - 1, -1]), ["9223372036854775807", "-1"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([0.1, 1.0, 1e20, -0.0, 1e-7, 5e-324]), ["0.1", "1", "1e+20", "-0", "1e-7", "5e-324"]),
        (pa.array([0.1], pa.float32()), ["0.1"]),
        (pa.array([True, False, None]), ["true", "false", "null"]),
        (pa.array([Decimal("1.10"), Decimal("-0.05")]), ["1.10", "-0.05"]),
        (pa.array([Decimal("1E+3")], pa.decimal128(10, -3)), ["1E+3"]),
        (pa.array([Decimal("0.0000000001")]), ["1E-10"]),
        (pa.array([date(2026, 1, 2)]), ['"2026-01-02"']),
        (pa.array([time(1, 2, 3)]), ['"01:02:03.000000"']),
        (pa.array([1_767_323_045, None], pa.timestamp("s")), ['"2026-01-02T03:04:05"', "null"]),
        (
            pa.array([datetime(2026, 1, 2, 3, tzinfo=BERLIN)], pa.timestamp("ms", "Europe/Berlin")),
            ['"2026-01-02T02:00:00.000Z"'],
        ),
        (pa.array(["x", None, "x"]).dictionary_encode(), ['"x"', "null", '"x"']),
        (pa.array(["x"], pa.large_string()), ['"x"']),
        (pa.array(["x", None], pa.string_view()), ['"x"', "null"]),
        (pa.array(['"\\/\n\r\t\b\f\0\x1f\x7f é\u2028']), ['"\\"\\\\/\\n\\r\\t\\b\\f\\u0000\\u001f\x7f é\u2028"']),
        (pa.nulls(2), ["null", "null"]),
        (pa.array([[1, None], [], None]), ["[1,null]", "[]", "null"]),
        (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), ["[1,2]", "null"]),
        (pa.array([["a"], None], pa.large_list(pa.string())), ['["a"]', "null"]),
        (pa.array([{"a": 1, 'b"': [None]}, None]), ['{"a":1,"b\\"":[null]}', "null"]),
        (pa.array([{}, None], pa.struct([])), ["{}", "null"]),
        (
            pa.array([[("a", 1), ('b"', None)], [], None], pa.map_(pa.string(), pa.int64())),
            ['{"a":1,"b\\"":null}', "{}", "null"],
        ),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_values_are_written_with_all_that_they_are(column: pa.Array, expected: list[str]) -> None:
    assert can_hold(column.type)
    assert written(x=column) == "".join(f'{{"x":{value}}}\n' for value in expected)
    # A slice is no other column, whatever lies before it.
    batch = pa.RecordBatch.from_arrays([pa.concat_arrays([column, column])], names=["x"]).slice(len(column))
    assert bytes(lines(batch, "array")).decode() == "".join(f"[{value}]\n" for value in expected)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("object", '{"b":1,"é\\"":"x"}\n{"b":null,"é\\"":""}\n'),
        ("array", '[1,"x"]\n[null,""]\n'),
        ("features", '{"features":[1,"x"]}\n{"features":[null,""]}\n'),
    ],
)
def test_a_record_has_the_columns_in_their_order(record: str, expected: str) -> None:
    assert written(record, **{"b": [1, None], 'é"': ["x", ""]}) == expected


@pytest.mark.parametrize(
    "kind",
    [
        pa.binary(),
        pa.duration("s"),
        pa.list_(pa.binary()),
        pa.struct([("a", pa.list_(pa.duration("s")))]),
        pa.map_(pa.int64(), pa.int64()),
        pa.map_(pa.string(), pa.binary()),
        pa.dictionary(pa.int8(), pa.binary()),
    ],
    ids=str,
)
def test_what_json_cannot_hold_is_told(kind: pa.DataType) -> None:
    assert not can_hold(kind)


def test_what_is_no_number_is_found_however_deep() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "plain": [0.5, None, INF],
            "list": [[1.0, NAN], None, [NAN]],
            "deep": [{"a": [{"b": 1.0}]}, None, {"a": [{"b": 2.0}, {"b": -INF}]}],
            "map": pa.array([[("k", 1.0)], [("k", NAN)], None], pa.map_(pa.string(), pa.float32())),
            "kinds": pa.array([0.5, NAN, None]).dictionary_encode(),
            "count": [1, 2, 3],
        }
    )

    found = [(row, name, str(value)) for row, name, value in not_numbers(batch)]

    assert found == [
        (2, "plain", "inf"), (0, "list", "nan"), (2, "list", "nan"), (2, "deep", "-inf"), (1, "map", "nan"),
        (1, "kinds", "nan"),
    ]  # fmt: skip
    assert [(row, name) for row, name, _ in not_numbers(batch.slice(1))] == [
        (1, "plain"), (1, "list"), (1, "deep"), (0, "map"), (0, "kinds"),
    ]  # fmt: skip


KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "real": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "truth": (pa.bool_(), st.booleans()),
    "text": (pa.string(), st.text(st.characters(codec="utf-8"), max_size=6)),
    "money": (pa.decimal128(20, 4), st.decimals(-(10**9), 10**9, places=4)),
    "list": (
        pa.list_(pa.string()),
        st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=3), max_size=3),
    ),
    "deep": (
        pa.struct([("a", pa.list_(pa.float64())), ("b", pa.string())]),
        st.fixed_dictionaries(
            {
                "a": st.none() | st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
                "b": st.none() | st.text('"\\\n é\0', max_size=3),
            }
        ),
    ),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in KINDS.items()}), min_size=1)
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in KINDS.items()])


@given(ROWS, st.sampled_from(sorted(RECORDS)), st.integers(0, 5))
def test_any_reader_reads_back_what_was_there(rows: list[dict[str, Any]], record: str, start: int) -> None:
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA).slice(min(start, len(rows) - 1))
    there = rows[min(start, len(rows) - 1) :]

    text = bytes(lines(batch, record)).decode()

    assert text.endswith("\n")
    read = [json.loads(line, parse_float=Decimal) for line in text.removesuffix("\n").split("\n")]
    values = [list(one.values()) if record == "object" else one for one in read]
    values = [one["features"] if record == "features" else one for one in values]
    assert [dict(zip(KINDS, map(_floats, one), strict=True)) for one in values] == [
        {name: _floats(value) for name, value in one.items()} for one in there
    ]
    assert all(isinstance(one["money"], Decimal | int | None) for one in read if record == "object")


def _floats(value: Any) -> Any:
    """Compare numbers as what a double holds, but decimals, whose digits count."""
    match value:
        case Decimal():
            return float(value)
        case list():
            return [_floats(part) for part in value]
        case dict():
            return {name: _floats(part) for name, part in value.items()}
        case _:
            return value


@given(st.lists(st.decimals(-(10**16), 10**16, places=9), min_size=1))
def test_every_digit_of_a_decimal_is_written(values: list[Decimal]) -> None:
    text = written("array", x=pa.array(values, pa.decimal128(38, 9)))

    assert [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in text.splitlines()] == [
        [value] for value in values
    ]
