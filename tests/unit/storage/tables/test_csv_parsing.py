from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_batchtx.association.narrowing import held
from airflow_batchtx.storage.tables.csv_dialect import COMMAS, Dialect
from airflow_batchtx.storage.tables.csv_parsing import Parser, no_rows

DOUBLE = pa.float64()
# More whole numbers than are looked at.
MANY = b"".join(b"%d.0,x\n" % number for number in range(40))


def kinds(body: bytes, *numbers: str, dialect: Dialect = COMMAS) -> list[pa.DataType]:
    return [field.type for field in Parser(("a", "b"), dialect, numbers)(body).schema]


@pytest.mark.parametrize(
    "body",
    [
        b"0.5,x\n1.5,y\n",
        b"0.5,x\n,y\n",
        b"0.5,007\n1,1\n2.0,x\n",
        b"nan,x\n-0.0,y",
        b"1e3,x\n999999999999999,y",
        b"0,x\n0.0,x\n-0,x\n",
        b"\n\n0.5,x\n\n\n1,x\n",
    ],
)
def test_numbers_whose_text_tells_no_more_come_as_doubles(body: bytes) -> None:
    assert kinds(body, "a") == [DOUBLE, pa.string()]


@pytest.mark.parametrize(
    "body",
    [
        b"0.5,x\n007,y\n",
        b"0.5,x\n9007199254740993,y\n",
        b"0.5,x\n abc,y\n",
        b"1,x\r\n0.5,y\r\n",
        b"\n07,x\n",
        b"0.5,x\n\n07,x\n",
        MANY,
    ],
)
def test_numbers_whose_text_may_be_missed_come_as_text(body: bytes) -> None:
    assert kinds(body, "a") == [pa.string()] * 2


def test_other_columns_stay_doubles_beside_one_that_is_read_again() -> None:
    batch = Parser(("a", "b", "c"), COMMAS, "abc")(b"0.5,007,1.5\n0.25,1,2.5\n")

    assert batch.to_pydict() == {"a": [0.5, 0.25], "b": ["007", "1"], "c": [1.5, 2.5]}


def test_a_column_of_codes_is_read_as_text_from_there_on() -> None:
    parser = Parser(("a", "b"), COMMAS, "ab")
    blocks = [b"0.5,0.5\n", b"0.5,007\n", b"0.5,0.5\n"]

    assert [[str(field.type) for field in parser(block).schema] for block in blocks] == [
        ["double", "double"],
        ["double", "string"],
        ["double", "string"],
    ]


def test_behind_what_is_no_number_everything_is_text() -> None:
    parser = Parser(("a", "b"), COMMAS, "ab")

    assert [
        {str(field.type) for field in parser(block).schema} for block in (b"0.5,0.5\n", b"0.5,x\n", b"0.5,0.5\n")
    ] == [{"double"}, {"string"}, {"string"}]


def test_lines_far_down_are_found() -> None:
    body = b"".join(
        b"%d.5;%s\n" % (row, b"01" if row == 4321 else b"1" if row % 700 == 0 else b"0.5") for row in range(5000)
    )

    assert kinds(body, "a", "b", dialect=Dialect(";", None)) == [DOUBLE, pa.string()]
    assert kinds(body.replace(b";01", b";10"), "a", "b", dialect=Dialect(";", None)) == [DOUBLE, DOUBLE]


def test_a_damaged_record_is_an_error_all_the_same() -> None:
    with pytest.raises(pa.ArrowInvalid):
        Parser(("a", "b"), COMMAS, "a")(b"0.5,1\n0.5\n")


def test_a_block_without_a_record_has_no_rows() -> None:
    assert Parser(("a", "b"), COMMAS, "a")(b"\r\n\n") == no_rows("ab")


CELLS = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**17), 10**17).map(str),
    st.sampled_from(["", "007", "00", "-0", "0.0", " 5", "5 ", "+5", "1e5", "0x1F", "inf", "NaN", "null", "abc", "é"]),
    st.floats(-5, 5).map(lambda number: f"{number:.1f}"),
)


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=40),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
    st.sampled_from(["", "\n"]),
)
@example([("0.5", "1.5"), ("01", "1.5")], "\n", "", "\n")
def test_what_comes_as_doubles_is_what_is_made_of_the_texts(
    rows: list[tuple[str, str]], end: str, last: str, blank: str
) -> None:
    body = (blank + (end + blank).join(map(",".join, rows)) + last).encode()
    texts, read = Parser("ab", COMMAS)(body), Parser("ab", COMMAS, "ab")(body)

    for name in "ab":
        expected, found = held(texts.column(name), "double"), held(read.column(name), "double")
        assert texts.num_rows == read.num_rows
        assert told(found) == told(expected)
        if read.column(name).type == pa.string():
            assert read.column(name).equals(texts.column(name))


def told(column: Any) -> Any:
    return None if column is None else [repr(value) for value in column.to_pylist()]
