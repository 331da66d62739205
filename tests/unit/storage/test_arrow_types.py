from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_batchtx.spec.arrow_names import is_name
from airflow_batchtx.storage.tables.arrow_types import type_named


@pytest.mark.parametrize(
    "kind",
    [
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.date32(),
        pa.time64("us"),
        pa.timestamp("ms"),
        pa.timestamp("us", "UTC"),
        pa.timestamp("ns", "Europe/Berlin"),
        pa.timestamp("s", "+02:00"),
        pa.decimal128(10, 2),
        pa.decimal256(60, -3),
    ],
    ids=str,
)
def test_a_type_is_known_by_what_arrow_prints(kind: pa.DataType) -> None:
    assert type_named(str(kind)) == kind
    assert is_name(str(kind))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("double", pa.float64()),
        ("decimal128(10,2)", pa.decimal128(10, 2)),
        ("decimal128(10)", pa.decimal128(10, 0)),
        ("timestamp[us,tz=UTC]", pa.timestamp("us", "UTC")),
        (" bool ", pa.bool_()),
    ],
)
def test_other_spellings(text: str, kind: pa.DataType) -> None:
    assert type_named(text) == kind


@pytest.mark.parametrize(
    "text", ["", "int", "decimal128(99, 2)", "decimal128", "timestamp[us, tz=Nowhere/City]", "list<item: int64>"]
)
def test_what_is_no_type_of_ours(text: str) -> None:
    assert type_named(text) is None


@pytest.mark.parametrize("size", ["", "1", "2", "4", "8", "16", "32", "64", "128", "[s]", "[us]", "32[day]", "64[ns]"])
@pytest.mark.parametrize(
    "stem",
    ["null", "bool", "boolean", "i", "u", "f", "int", "uint", "float", "halffloat", "double", "string", "str", "utf8",
     "binary", "large_string", "string_view", "binary_view", "date", "time", "timestamp", "duration", "decimal",
     "list"],
)  # fmt: skip
def test_a_name_is_one_without_arrow_as_well(stem: str, size: str) -> None:
    text = f"{stem}{size}"

    assert is_name(text) == (type_named(text) is not None)
