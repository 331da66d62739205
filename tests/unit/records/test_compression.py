"""Gzip streams come out whole, however they are cut, or not at all."""

from __future__ import annotations

import gzip
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.records.compression import Gunzipped


class Dribble:
    """A source that gives at most `most` bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        self.source = io.BytesIO(data)
        self.most = most

    def read(self, size: int = -1, /) -> bytes:
        return self.source.read(self.most if size < 0 else min(size, self.most))


MEMBERS = st.lists(st.binary(max_size=60), min_size=1, max_size=4)


@given(members=MEMBERS, padding=st.integers(0, 5), most=st.integers(1, 50), size=st.integers(1, 50))
def test_members_are_read_as_one_stream(members: list[bytes], padding: int, most: int, size: int) -> None:
    compressed = b"".join(gzip.compress(member) + bytes(padding) for member in members)
    source = Gunzipped(Dribble(compressed, most))

    parts = list(iter(lambda: source.read(size), b""))

    assert b"".join(parts) == b"".join(members)
    assert all(len(part) == size for part in parts[:-1])


@given(members=MEMBERS)
def test_the_rest_is_read_at_once(members: list[bytes]) -> None:
    plain = b"".join(members)
    source = Gunzipped(io.BytesIO(b"".join(map(gzip.compress, members))))

    assert source.read(0) == b""
    assert source.read(5) + source.read() == plain
    assert source.read() == b""


@given(data=st.binary(min_size=1), share=st.floats(0, 1, exclude_max=True))
def test_a_stream_cut_short_is_refused(data: bytes, share: float) -> None:
    compressed = gzip.compress(data)
    cut = max(1, int(len(compressed) * share))

    with pytest.raises(MalformedRecord):
        Gunzipped(io.BytesIO(compressed[:cut])).read()


def test_bytes_that_are_not_gzip_are_refused() -> None:
    with pytest.raises(MalformedRecord):
        Gunzipped(io.BytesIO(b"1,2,3\n")).read()


def test_what_follows_a_member_must_be_one() -> None:
    with pytest.raises(MalformedRecord):
        Gunzipped(io.BytesIO(gzip.compress(b"1,2\n") + b"3,4\n")).read()


def test_damage_is_refused() -> None:
    compressed = bytearray(gzip.compress(b"1,2,3\n" * 100))
    compressed[-6] ^= 1  # in the checksum

    with pytest.raises(MalformedRecord):
        Gunzipped(io.BytesIO(bytes(compressed))).read()


def test_an_empty_source_is_empty() -> None:
    assert Gunzipped(io.BytesIO()).read() == b""


def test_a_bomb_is_unpacked_bit_by_bit() -> None:
    source = io.BytesIO(gzip.compress(bytes(64 * 1024 * 1024)))

    assert len(Gunzipped(source).read(1000)) == 1000


def test_large_data_passes() -> None:
    data = random.Random(1).randbytes(3 * 1024 * 1024)

    assert Gunzipped(io.BytesIO(gzip.compress(data, 1))).read() == data
