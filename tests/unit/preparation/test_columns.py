from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.preparation.columns import Column, can_become, converted, filling


def convert(column: Any, **about: Any) -> tuple[list[Any], list[tuple[int, object]]]:
    batch = pa.RecordBatch.from_arrays([column], names=["x"])
    found, unfit = converted(batch, [Column(name="x", **{"kind": column.type, **about})])
    return found.column(0).to_pylist(), [(one.row, one.value) for one in unfit]


UTC = timezone.utc
# What CSV text becomes in each type; None where it is refused.
TEXTS: list[tuple[str, pa.DataType, Any]] = [
    ("9223372036854775807", pa.int64(), 2**63 - 1),
    ("-9223372036854775808", pa.int64(), -(2**63)),
    ("9223372036854775808", pa.int64(), None),
    ("18446744073709551615", pa.uint64(), 2**64 - 1),
    ("-1", pa.uint64(), None),
    ("1.0", pa.int64(), None),
    (" 1", pa.int64(), None),
    ("1.10", pa.decimal128(10, 2), Decimal("1.10")),
    ("1.105", pa.decimal128(10, 2), None),
    ("123456789.1", pa.decimal128(10, 2), None),
    ("9" * 38, pa.decimal128(38, 0), Decimal("9" * 38)),
    ("0.1", pa.float64(), 0.1),
    ("one", pa.float64(), None),
    ("1e400", pa.float64(), None),
    ("-inf", pa.float64(), float("-inf")),
    ("true", pa.bool_(), True),
    ("yes", pa.bool_(), None),
    ("2026-01-02", pa.date32(), date(2026, 1, 2)),
    ("2026-02-30", pa.date32(), None),
    ("2026-01-02T03:04:05", pa.timestamp("us"), datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - it has no zone
    ("2026-01-02T03:04:05Z", pa.timestamp("us"), None),
    ("2026-01-02T03:04:05+02:00", pa.timestamp("us", "UTC"), datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ("2026-01-02T03:04:05", pa.timestamp("us", "UTC"), None),
    ("2026-01-02T03:04:05.1234567Z", pa.timestamp("us", "UTC"), None),
]


@pytest.mark.parametrize(("text", "kind", "value"), TEXTS, ids=str)
def test_text_becomes_a_type_without_a_loss_or_is_refused(text: str, kind: pa.DataType, value: Any) -> None:
    values, unfit = convert(pa.array([None, text, None]), kind=kind)

    assert values == [None, value, None]
    assert unfit == ([(1, text)] if value is None else [])


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        (pa.array([2**53 + 1]), pa.float64(), None),
        (pa.array([2**53]), pa.float64(), 2.0**53),
        (pa.array([300]), pa.int8(), None),
        (pa.array([1.5]), pa.int64(), None),
        (pa.array([Decimal("1.50")]), pa.decimal128(20, 4), Decimal("1.5000")),
        (pa.array([Decimal("1.55")]), pa.decimal128(20, 1), None),
        (pa.array([99_999_999]), pa.decimal128(10, 2), Decimal("99999999.00")),
        (pa.array([100_000_000]), pa.decimal128(10, 2), None),
        (pa.array([2**64 - 1], pa.uint64()), pa.decimal128(20, 0), Decimal(2**64 - 1)),
        (pa.array([1_500]), pa.decimal128(5, -3), None),
        (pa.array([1_000_001], pa.timestamp("us")), pa.timestamp("s"), None),
        (pa.array([b"\xff"]), pa.string(), None),
        (pa.array([datetime(2026, 1, 2)]), pa.date32(), date(2026, 1, 2)),  # noqa: DTZ001
        (pa.array([datetime(2026, 1, 2, 3)]), pa.date32(), None),  # noqa: DTZ001
        (pa.array([0.15]), pa.decimal128(10, 2), Decimal("0.15")),
        (pa.array([0.155]), pa.decimal128(10, 2), None),
        (pa.array([1]), pa.bool_(), True),
        (pa.array([5]), pa.bool_(), None),
        (pa.array([1e300]), pa.float32(), None),
        (pa.array([float("inf")]), pa.float32(), float("inf")),
        (pa.array(["x"]).dictionary_encode(), pa.string(), "x"),
        (pa.array([5]), pa.string(), "5"),
    ],
    ids=str,
)
def test_other_types_become_one_without_a_loss_or_are_refused(given: Any, kind: pa.DataType, value: Any) -> None:
    values, unfit = convert(given, kind=kind)

    assert values == [value]
    assert len(unfit) == (value is None)


def test_wrong_cells_are_found_among_many() -> None:
    cells = [str(number) for number in range(5000)]
    for wrong in (0, 7, 4999):
        cells[wrong] = "x"
    values, unfit = convert(pa.array(cells), kind=pa.int64())

    assert [row for row, _ in unfit] == [0, 7, 4999]
    assert values == [None if row in (0, 7, 4999) else row for row in range(5000)]


def test_no_more_wrong_cells_are_looked_for_than_asked() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["1", *["x"] * 5000])], names=["x"])
    found, unfit = converted(batch, [Column(name="x", kind=pa.int64())], 3)

    assert (found.num_rows, [one.row for one in unfit]) == (5001, [1, 2, 3])


def test_a_blank_is_a_null_where_that_is_said() -> None:
    assert convert(pa.array(["", "1"]), kind=pa.int64(), blank=True) == ([None, 1], [])
    assert convert(pa.array(["", "1"]), kind=pa.int64()) == ([None, 1], [(0, "")])
    assert convert(pa.array(["", "1"])) == (["", "1"], [])


def test_nulls_are_filled_and_wrong_cells_are_told_of() -> None:
    seven = filling("7", pa.int64())

    assert convert(pa.array(["", "x", "1"]), kind=pa.int64(), blank=True, filling=seven) == ([7, 7, 1], [(1, "x")])


def test_a_required_column_has_no_nulls() -> None:
    assert convert(pa.array(["", "x", "1", None]), kind=pa.int64(), blank=True, required=True) == (
        [None, None, 1, None],
        [(1, "x"), (0, None), (3, None)],
    )
    assert convert(pa.array([None, 1]), required=True, filling=filling("0", pa.int64())) == ([0, 1], [])


@pytest.mark.parametrize(
    ("text", "kind"),
    [("0", pa.int64()), ("0.5", pa.float64()), ("", pa.string()), ("true", pa.bool_()), ("1.5", pa.decimal128(9, 2))],
    ids=str,
)
def test_a_filling_is_of_the_type(text: str, kind: pa.DataType) -> None:
    assert filling(text, kind).type == kind


@pytest.mark.parametrize(("text", "kind"), [("x", pa.int64()), ("1", pa.list_(pa.int64())), ("x", pa.null())], ids=str)
def test_what_cannot_fill_is_none(text: str, kind: pa.DataType) -> None:
    assert filling(text, kind) is None


def test_some_types_can_become_no_others() -> None:
    assert can_become(pa.string(), pa.timestamp("us", "UTC"))
    assert not can_become(pa.struct([("a", pa.int64())]), pa.int64())
    assert not can_become(pa.timestamp("us"), pa.time64("us"))


def test_no_zone_is_guessed_and_none_is_dropped() -> None:
    bare, zoned, utc = pa.timestamp("us"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("us", "UTC")

    assert can_become(zoned, utc)
    assert can_become(utc, pa.date32())
    assert not can_become(bare, utc)
    assert not can_become(zoned, bare)
    assert not can_become(zoned, pa.date32())


@pytest.mark.parametrize(("value", "unit"), [(1, "ns"), (400_000_000_000_000_001, "us")])
def test_times_that_python_has_not_are_shown(value: int, unit: Any) -> None:
    cells: Any = pa.array([value], pa.timestamp(unit))
    _, [unfit] = converted(pa.RecordBatch.from_arrays([cells], names=["x"]), [Column(name="x", kind=pa.timestamp("s"))])

    assert str(unfit.value).endswith("001")
