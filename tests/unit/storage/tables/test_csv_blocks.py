from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.storage.tables.csv_blocks import Blocks


def cut(body: bytes, size: int, quote: str | None = '"') -> tuple[list[bytes], bytes]:
    blocks = Blocks(io.BytesIO(body), quote, size)
    return list(blocks), blocks.left.read(len(body) + 1) if blocks.left else b""


@pytest.mark.parametrize(
    ("body", "blocks", "left"),
    [
        (b"", [], b""),
        (b"1\n", [b"1\n"], b""),
        (b"1\n2\n3", [b"1\n2\n", b"3"], b""),
        (b"1\r\n2\r\n", [b"1\r\n", b"2\r\n"], b""),
        (b"12345678\n", [], b"12345678\n"),
        (b'1\n2\n"3"\n', [b"1\n2\n"], b'"3"\n'),
        (b'"1"\n2\n3\n', [], b'"1"\n2\n3\n'),
    ],
)
def test_blocks_end_with_a_record(body: bytes, blocks: list[bytes], left: bytes) -> None:
    assert cut(body, 5) == (blocks, left)


def test_where_nothing_is_quoted_a_quote_is_a_byte_like_others() -> None:
    assert cut(b'"1\n', 5, None) == ([b'"1\n'], b"")


@given(
    st.lists(st.sampled_from([b"1", b"22", b",", b"\n", b"\r\n", b'"']), max_size=60).map(b"".join), st.integers(1, 9)
)
def test_nothing_is_lost_and_no_block_parts_a_record(body: bytes, size: int) -> None:
    blocks, left = cut(body, size)

    assert b"".join(blocks) + left == body
    assert all(block.endswith(b"\n") for block in (blocks if left else blocks[:-1]))
    assert all(b'"' not in block and 0 < len(block) <= size for block in blocks)
