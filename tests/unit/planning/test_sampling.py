from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.sampling import header, longest_line


@pytest.mark.parametrize(
    ("head", "expected"),
    [(b"", 0), (b"\n", 0), (b"abc", 3), (b"a\nabcd\nab\n", 4), (b"a\nabcd", 4), (b"\xc3\xbc\n", 2)],
)
def test_the_longest_line_is_in_bytes(head: bytes, expected: int) -> None:
    assert longest_line(head) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"id,age\n1,2\n", "id,age"),
        (b"id,age\r\n1,2\r\n3,", "id,age"),
        (b'"id","a,b"\nx,-1.5e3\n', '"id","a,b"'),
        (b"\xc3\xbc\n7", "\u00fc"),
        # Data.
        (b"1,2\n3,4\n", None),
        (b"a,b\nc,d\n", None),
        (b"a,1\nb,2\n", None),
        # Nothing to be sure of.
        (b"", None),
        (b"id,age\n", None),
        (b"id,id\n1,2\n", None),
        (b"id,\n1,2\n", None),
        (b"id,age\n1\n", None),
        (b"\n1\n", None),
        (b'"id\nage"\n1\n', None),
        (b"\xff\xfe,b\n1,2\n", "\ufffd\ufffd,b"),
    ],
)
def test_names_above_numbers_look_like_a_header(head: bytes, expected: str | None) -> None:
    assert header(head) == expected


@given(st.binary(max_size=60) | st.text(alphabet='a1,."\n\r', max_size=30).map(str.encode))
def test_any_bytes_may_be_sampled(head: bytes) -> None:
    found = header(head)

    assert found is None or found.encode("utf-8", "replace")
    assert longest_line(head) <= len(head)
