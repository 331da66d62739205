from __future__ import annotations

import gzip
import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from airflow_batchtx.errors import MalformedRecord, StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.tables.compressed import STEP, opened
from tests.fakes import InMemoryStore, OpenObject

URI = S3Uri("b", "k")
# Hardly any of it compresses.
TEXT = random.Random(5).randbytes(3 * STEP + 17)


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def zstandard(body: bytes) -> bytes:
    return bytes(pa.compress(body, codec="zstd", asbytes=True))


CODECS: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzipped, "zstd": zstandard, None: bytes}


def read(body: bytes, compression: str | None, size: int = 1000) -> bytes:
    with opened(InMemoryStore({str(URI): body}), URI, compression) as source:
        return b"".join(iter(lambda: source.read(size), b""))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [1000, STEP, 10 * STEP])
def test_what_was_compressed_is_read(codec: str | None, size: int) -> None:
    assert read(CODECS[codec](TEXT), codec, size) == TEXT


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_several_members_are_one_text(codec: str) -> None:
    members = CODECS[codec](b"a,b\n") + CODECS[codec](b"") + CODECS[codec](TEXT)

    assert read(members, codec) == b"a,b\n" + TEXT


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("spoil", [lambda body: body[:-9], lambda body: b"a,b\n1,2\n", lambda body: body[:50_000]])
def test_what_does_not_decompress_is_named(codec: str, spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedRecord, match=codec):
        read(spoil(CODECS[codec](TEXT)), codec)


@pytest.mark.parametrize("codec", CODECS)
def test_a_place_in_the_text_is_always_at_the_same_place_in_the_object(codec: str | None) -> None:
    body = CODECS[codec](TEXT)
    found = []
    for sizes in ([100, STEP], [2 * STEP, STEP], [STEP + 50, 5 * STEP]):
        with opened(InMemoryStore({str(URI): body}), URI, codec) as source:
            for size in sizes:
                source.read(size)
            found.append([source.position(offset) for offset in (0, 100, STEP, STEP + 1)])

    assert found[0] == found[1] == found[2] == sorted(found[0])
    assert found[0][0] == 0
    assert 0 < found[0][1] <= len(body)


def test_behind_the_end_all_is_read() -> None:
    body = gzipped(TEXT)
    with opened(InMemoryStore({str(URI): body}), URI, "gzip") as source:
        source.read(10 * STEP)

        assert source.position(len(TEXT) + STEP) == len(body)


def test_trouble_of_the_store_is_no_damage() -> None:
    class Refused(OpenObject):
        def read(self, size: int | None = -1, /) -> bytes:
            raise StorageError(str(URI), "SlowDown", "Reduce your request rate.")

    class Refusing(InMemoryStore):
        def reader(self, uri: S3Uri) -> Refused:
            return Refused(b"abc")

    with pytest.raises(StorageError), opened(Refusing(), URI, "gzip") as source:
        source.read(1)
