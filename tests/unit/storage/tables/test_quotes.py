"""Quotes that are not closed, wherever in a text they are."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.storage.tables.quotes import never_closed

LINES = st.lists(
    st.sampled_from([b"1,a\n", b'2,"b"\r\n', b'3,"c ""d"" e"\n', b'4,"f,\ng"\n', b'5,6" pipe\n', b'"",""\n', b"\n"]),
    max_size=30,
)


def found(body: bytes, window: int = 4096) -> bytes | None:
    return never_closed(io.BytesIO(body), '"', ",", window)


@pytest.mark.parametrize("window", [1, 3, 7, 4096])
class TestInAnyWindow:
    @pytest.mark.parametrize(
        "body", [b"", b"\n", b'"a"', b'"a""b"\n', b'1,5" pipe\n', b'"a"b\n', b'"a,\nb",c\n', b'""']
    )
    def test_what_is_whole(self, body: bytes, window: int) -> None:
        assert found(body, window) is None

    @pytest.mark.parametrize(
        ("body", "cell"),
        [(b'1,"a\n2,b\n', b'"a\n2,b\n'), (b'"a\n2,"b"\n', b'"a\n2,"'), (b'x\n"', b'"'), (b'"a""', b'"a""')],
    )
    def test_what_takes_others_in(self, body: bytes, cell: bytes, window: int) -> None:
        assert found(body, window) == cell


@given(before=LINES, behind=LINES)
def test_only_what_is_not_closed(before: list[bytes], behind: list[bytes]) -> None:
    assert found(b"".join((*before, *behind))) is None
    assert found(b"".join((*before, b'7,"h'))) == b'"h'


def test_a_cell_that_is_longer_than_any_ends_the_search() -> None:
    text = io.BytesIO(b'1,"' + b"x\n" * 20_000_000)

    assert never_closed(text, '"', ",") is not None
    assert text.tell() < 30_000_000
