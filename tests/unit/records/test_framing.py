"""Whatever the object and the limit: nothing is lost, nothing is too large, and what cannot be sent is named."""

from __future__ import annotations

import io
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import MalformedRecord, RecordTooLarge
from airflow_batchtx.records import recordio, tfrecord
from airflow_batchtx.records.framing import payloads
from airflow_batchtx.spec.enums import BatchStrategy, SplitType

MULTI, SINGLE = BatchStrategy.MULTI_RECORD, BatchStrategy.SINGLE_RECORD
MIB = 1024 * 1024


class Dribble:
    """A source that gives a few bytes at a time, as sockets may, and counts what it gave."""

    def __init__(self, data: bytes, most: int = 7) -> None:
        self.source = io.BytesIO(data)
        self.most = most
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        part = self.source.read(self.most if size < 0 else min(size, self.most))
        self.given += len(part)
        return part


def recordio_of(records: list[bytes]) -> bytes:
    return b"".join(
        struct.pack("<II", recordio.MAGIC, len(record)) + record + bytes(-len(record) % 4) for record in records
    )


def tfrecord_of(records: list[bytes]) -> bytes:
    def framed(record: bytes) -> bytes:
        length = struct.pack("<Q", len(record))
        checksums = (struct.pack("<I", tfrecord.masked_crc32c(data)) for data in (length, record))
        return length + next(checksums) + record + next(checksums)

    return b"".join(map(framed, records))


FRAMED = {SplitType.RECORD_IO: recordio_of, SplitType.TF_RECORD: tfrecord_of}
LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"\r")), max_size=30)
RECORDS = st.lists(st.binary(max_size=24), max_size=20)
LIMITS = st.none() | st.integers(min_value=64, max_value=200)
DRIBBLES = st.integers(min_value=1, max_value=300)


@given(lines=LINES, ended=st.booleans(), limit=LIMITS | st.integers(13, 20), most=DRIBBLES)
def test_lines_packed_are_the_object(lines: list[bytes], ended: bool, limit: int | None, most: int) -> None:
    data = b"\n".join(lines) + b"\n" * ended

    found = list(payloads(Dribble(data, most), SplitType.LINE, MULTI, limit))

    assert b"".join(found) == data
    assert all(payload and (limit is None or len(payload) <= limit) for payload in found)
    assert all(payload.endswith(b"\n") for payload in found[:-1])


@given(lines=LINES, limit=st.integers(13, 60))
def test_lines_are_packed_as_many_as_fit(lines: list[bytes], limit: int) -> None:
    data = b"".join(line + b"\n" for line in lines)

    found = list(payloads(io.BytesIO(data), SplitType.LINE, MULTI, limit))

    for payload, following in itertools.pairwise(found):
        assert len(payload) + following.index(b"\n") + 1 > limit


@given(lines=LINES, ended=st.booleans(), limit=LIMITS | st.integers(12, 20), most=DRIBBLES)
def test_single_lines_are_the_lines(lines: list[bytes], ended: bool, limit: int | None, most: int) -> None:
    data = b"\n".join(lines) + b"\n" * ended
    expected = data.split(b"\n")[: -1 if data.endswith(b"\n") or not data else None]

    assert list(payloads(Dribble(data, most), SplitType.LINE, SINGLE, limit)) == expected


@given(lines=LINES, strategy=st.sampled_from(BatchStrategy), limit=LIMITS)
def test_without_blank_lines_no_payload_is_only_blank(
    lines: list[bytes], strategy: BatchStrategy, limit: int | None
) -> None:
    data = b"\n".join(lines)

    kept = list(payloads(io.BytesIO(data), SplitType.LINE, strategy, limit, blank_lines=False))

    everything = list(payloads(io.BytesIO(data), SplitType.LINE, strategy, limit))
    assert kept == [payload for payload in everything if set(payload.split(b"\n")) - {b"", b"\r"}]


@pytest.mark.parametrize("split_type", FRAMED)
@given(records=RECORDS, limit=LIMITS, most=DRIBBLES)
def test_framed_records_packed_are_the_object(
    split_type: SplitType, records: list[bytes], limit: int | None, most: int
) -> None:
    data = FRAMED[split_type](records)

    found = list(payloads(Dribble(data, most), split_type, MULTI, limit))

    assert b"".join(found) == data
    assert all(payload and (limit is None or len(payload) <= limit) for payload in found)


@pytest.mark.parametrize("split_type", FRAMED)
@given(records=RECORDS, limit=LIMITS | st.integers(24, 30), most=DRIBBLES)
def test_framed_records_come_singly_without_framing(
    split_type: SplitType, records: list[bytes], limit: int | None, most: int
) -> None:
    data = FRAMED[split_type](records)

    assert list(payloads(Dribble(data, most), split_type, SINGLE, limit)) == records


@pytest.mark.parametrize("split_type", FRAMED)
@pytest.mark.parametrize("strategy", BatchStrategy)
@given(records=RECORDS.filter(bool), limit=LIMITS, data=st.data())
def test_a_stream_cut_short_is_refused(
    split_type: SplitType, strategy: BatchStrategy, records: list[bytes], limit: int | None, data: st.DataObject
) -> None:
    whole = FRAMED[split_type](records)
    ends = {len(FRAMED[split_type](records[:count])) for count in range(len(records) + 1)}
    cut = data.draw(st.integers(1, len(whole) - 1).filter(lambda at: at not in ends))

    with pytest.raises(MalformedRecord):
        list(payloads(io.BytesIO(whole[:cut]), split_type, strategy, limit))


@given(data=st.binary(min_size=1, max_size=100), most=DRIBBLES, strategy=st.sampled_from(BatchStrategy))
def test_no_split_is_one_payload(data: bytes, most: int, strategy: BatchStrategy) -> None:
    assert list(payloads(Dribble(data, most), SplitType.NONE, strategy, 100)) == [data]
    assert list(payloads(Dribble(data, most), SplitType.NONE, strategy, None)) == [data]


@pytest.mark.parametrize("split_type", SplitType)
@pytest.mark.parametrize("strategy", BatchStrategy)
@pytest.mark.parametrize("limit", [None, 100])
def test_an_empty_object_has_no_payload(split_type: SplitType, strategy: BatchStrategy, limit: int | None) -> None:
    assert list(payloads(io.BytesIO(), split_type, strategy, limit)) == []


@pytest.mark.parametrize("strategy", BatchStrategy)
@pytest.mark.parametrize(
    ("before", "culprit", "after"),
    [(b"", b"x" * 101, b"\n1\n"), (b"1\n2\n", b"x" * 101, b"\n1\n"), (b"1\n", b"x" * 101, b"")],
)
def test_a_line_over_the_limit(strategy: BatchStrategy, before: bytes, culprit: bytes, after: bytes) -> None:
    found = payloads(io.BytesIO(before + culprit + after), SplitType.LINE, strategy, 100)

    given_before = list(itertools.islice(found, len(before.splitlines()) if strategy is SINGLE else bool(before)))
    with pytest.raises(RecordTooLarge) as caught:
        list(found)

    assert b"".join(payload.removesuffix(b"\n") + b"\n" for payload in given_before) == before
    assert (caught.value.offset, caught.value.limit) == (len(before), 100)
    assert caught.value.size >= 101


@pytest.mark.parametrize(("strategy", "size"), [(MULTI, 99), (SINGLE, 100)])
def test_a_line_of_just_the_limit(strategy: BatchStrategy, size: int) -> None:
    line = b"x" * size + b"\n"

    assert len(list(payloads(io.BytesIO(line * 3), SplitType.LINE, strategy, 100))) == 3


@pytest.mark.parametrize("strategy", BatchStrategy)
@pytest.mark.parametrize("split_type", FRAMED)
def test_a_framed_record_over_the_limit(split_type: SplitType, strategy: BatchStrategy) -> None:
    data = FRAMED[split_type]([b"x" * 101])

    with pytest.raises(RecordTooLarge):
        list(payloads(io.BytesIO(data), split_type, strategy, 100))


def test_an_object_over_the_limit_is_not_read_on() -> None:
    source = Dribble(b"x" * 1000, most=1000)

    with pytest.raises(RecordTooLarge) as caught:
        list(payloads(source, SplitType.NONE, MULTI, 100))

    assert (caught.value.offset, caught.value.limit) == (0, 100)
    assert source.given == 101


@pytest.mark.parametrize("strategy", BatchStrategy)
def test_lines_are_read_no_further_than_the_payload_that_is_asked_for(strategy: BatchStrategy) -> None:
    source = Dribble(b"0123456789\n" * MIB, most=MIB)

    next(payloads(source, SplitType.LINE, strategy, MIB))

    assert source.given <= MIB + 2


def test_a_single_line_longer_than_what_is_looked_at_together() -> None:
    lines = [b"a" * (3 * MIB), b"b", b"c" * (5 * MIB), b"d"]

    assert list(payloads(io.BytesIO(b"\n".join(lines)), SplitType.LINE, SINGLE, 6 * MIB)) == lines
    assert list(payloads(io.BytesIO(b"\n".join(lines)), SplitType.LINE, SINGLE, None)) == lines


def test_the_checksum_of_tensorflow() -> None:
    # RFC 3720, B.4: crc32c of 32 bytes of zeros is 0x8A9136AA; masked by hand.
    crc = 0x8A9136AA

    assert tfrecord.masked_crc32c(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
