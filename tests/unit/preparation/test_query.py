from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from airflow_batchtx.errors import InvalidData
from airflow_batchtx.preparation.query import Queried, queried

EAST = timezone(timedelta(hours=2))


class Rows:
    """A query whose rows are known, so many at once."""

    def __init__(self, names: Sequence[str], *parts: Sequence[Sequence[Any]]) -> None:
        self._names, self._parts = tuple(names), parts

    def rows(self, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        yield from self._parts

    def names(self) -> tuple[str, ...]:
        return self._names


def of(*values: Any) -> Queried:
    return queried(Rows(["x"], [(value,) for value in values]), {})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**63 - 1, pa.int64()),
        (-(2**63), pa.int64()),
        (0.5, pa.float64()),
        ("x", pa.string()),
        (True, pa.bool_()),
        (b"x", pa.binary()),
        (memoryview(b"x"), pa.binary()),
        (Decimal("1.50"), pa.decimal128(38, 2)),
        (Decimal(10) ** 40, pa.decimal256(76, 0)),
        (date(2026, 1, 2), pa.date32()),
        (datetime(2026, 1, 2, 3, 4, 5, 678), pa.timestamp("us")),  # noqa: DTZ001 - it has no zone
        (datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=EAST), pa.timestamp("us", "UTC")),
        (UUID(int=5), pa.string()),
        (None, pa.null()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_has_its_type_and_stays_what_it_is(value: Any, kind: pa.DataType) -> None:
    found = of(None, value)
    [_, row] = [row["x"] for chunk in found.chunks() for row in chunk.batch.to_pylist()]

    assert found.schema.types == [kind]
    assert row == {memoryview: bytes, UUID: str}.get(type(value), lambda same: same)(value)


@pytest.mark.parametrize("value", [{"a": 1}, [1], 1j], ids=str)
def test_what_no_column_can_hold_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidData) as caught:
        of(value)

    assert [problem.field for problem in caught.value.problems] == ["sql, column 'x'"]


def test_what_gives_no_rows_is_refused() -> None:
    with pytest.raises(InvalidData, match="gives no rows"):
        queried(Rows([]), {})


def test_columns_whose_values_a_driver_has_lost_are_refused() -> None:
    with pytest.raises(InvalidData, match="has 2 columns, but its rows have 1 values"):
        queried(Rows(["x", "x"], [(1,)]), {})


def test_a_query_may_find_nothing() -> None:
    found = queried(Rows(["x", "y"]), {})

    assert found.schema.names == ["x", "y"]
    assert sum(chunk.batch.num_rows for chunk in found.chunks()) == 0


def test_later_rows_must_be_as_the_first_ones() -> None:
    found = queried(Rows(["x", "y"], [(1, "a"), (2, None)], [("three", "b"), (4, "c")], [(5, "d"), (6, 7)]), {})
    chunks = list(found.chunks())

    rows = [
        (number, *row.values())
        for chunk in chunks
        for number, row in zip(chunk.numbers, chunk.batch.to_pylist(), strict=True)
    ]
    assert rows == [(1, 1, "a"), (2, 2, None), (4, 4, "c"), (5, 5, "d")]
    assert [
        (damage.record, damage.column, damage.value, damage.text) for chunk in chunks for damage in chunk.damaged
    ] == [
        (3, "x", "three", '{"x": "three", "y": "b"}'),
        (6, "y", 7, '{"x": 6, "y": 7}'),
    ]
    assert chunks[-1].end <= found.size
    assert [chunk.end for chunk in chunks] == sorted(chunk.end for chunk in chunks)


def test_a_time_is_no_date() -> None:
    found = queried(Rows(["x"], [(date(2026, 1, 2),)], [(datetime(2026, 1, 2, 3),)]), {})  # noqa: DTZ001

    assert [damage.record for chunk in found.chunks() for damage in chunk.damaged] == [2]


def test_whole_numbers_beyond_64_bits_are_set_aside() -> None:
    found = of(1, 2**64, -(2**70), 2)

    assert [damage.value for chunk in found.chunks() for damage in chunk.damaged] == [2**64, -(2**70)]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (datetime(2026, 1, 2, 3), datetime(2026, 1, 2, 3, tzinfo=EAST)),  # noqa: DTZ001
        (datetime(2026, 1, 2, 3, tzinfo=EAST), datetime(2026, 1, 2, 3)),  # noqa: DTZ001
        (time(3), time(3, tzinfo=EAST)),
    ],
    ids=str,
)
@pytest.mark.parametrize("at_once", [True, False])
def test_no_zone_is_dropped_and_none_is_guessed(first: Any, later: Any, at_once: bool) -> None:
    parts = [[(first,), (later,)]] if at_once else [[(first,)], [(later,)]]
    damaged = [damage for chunk in queried(Rows(["x"], *parts), {}).chunks() for damage in chunk.damaged]

    assert len(damaged) == 1
    assert damaged[0].record in ({1, 2} if at_once else {2})


def test_a_column_that_begins_with_nulls_may_be_given_its_type() -> None:
    rows = Rows(["x", "y"], [(None, None)], [(Decimal("1.5"), 5)])
    found = queried(rows, {"x": pa.decimal128(5, 2)})
    chunks = list(found.chunks())

    assert found.schema.types == [pa.decimal128(5, 2), pa.null()]
    assert [(damage.record, damage.column) for chunk in chunks for damage in chunk.damaged] == [(2, "y")]
    assert "types=" in chunks[0].damaged[0].rule
