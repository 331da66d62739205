"""What every ObjectStore promises: the same cases against the one in memory and the one on a real S3 server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batchtx.errors import BucketNotFound, ObjectChanged, ObjectNotFound
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.s3 import S3Store
from tests.fakes import InMemoryStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
ODD_KEYS = ("a b", "a+b", "a%2Fb", "a&b<c>'d\"", "ü/日本", "x//y", "x/", "=?#", "~")


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest, s3_client: S3Client, bucket: str) -> ObjectStore:
    return InMemoryStore(buckets=[bucket]) if request.param == "memory" else S3Store(s3_client)


@pytest.fixture
def root(bucket: str) -> S3Uri:
    return S3Uri(bucket)


def keys(store: ObjectStore, prefix: S3Uri) -> list[str]:
    return [found.uri.key for found in store.objects(prefix)]


def test_what_was_put_is_got(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"one")
    store.put(root / "k", b"two!")

    assert store.get(root / "k") == b"two!"


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_is_taken_as_it_is(store: ObjectStore, root: S3Uri, key: str) -> None:
    uri = S3Uri(root.bucket, key)
    store.put(uri, key.encode())

    assert store.get(uri) == key.encode()
    assert store.stat(uri).uri == uri
    assert keys(store, root) == [key]
    store.delete([uri])
    assert keys(store, root) == []


def test_stat_and_listing_describe_alike(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"12345")
    [listed] = store.objects(root)
    seen = store.stat(root / "k")

    assert (listed.uri, listed.size, listed.etag) == (seen.uri, seen.size, seen.etag)
    assert seen.size == 5


def test_an_open_object_knows_its_size_wherever_it_is_read(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"12345")

    with store.reader(root / "k") as source:
        before = source.size
        source.read(3)
        assert (before, source.size) == (5, 5)


def test_other_bytes_have_another_etag(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"one")
    before = store.stat(root / "k").etag
    store.put(root / "k", b"two")

    assert store.stat(root / "k").etag != before


def test_a_put_tells_the_etag_that_is_seen_later(store: ObjectStore, root: S3Uri) -> None:
    assert store.put(root / "k", b"one") == store.stat(root / "k").etag


def test_a_later_object_is_modified_no_earlier(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "a", b"one")
    store.put(root / "b", b"two")
    first, second = store.objects(root)

    assert first.last_modified is not None
    assert second.last_modified is not None
    assert first.last_modified.utcoffset() is not None
    assert first.last_modified <= second.last_modified
    assert store.stat(root / "b").last_modified == second.last_modified


def test_an_object_is_put_only_where_there_is_none(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"first", if_absent=True)
    with pytest.raises(ObjectChanged) as caught:
        store.put(root / "k", b"second", if_absent=True)

    assert caught.value.uri == str(root / "k")
    assert store.get(root / "k") == b"first"
    store.delete([root / "k"])
    store.put(root / "k", b"third", if_absent=True)
    assert store.get(root / "k") == b"third"


def test_an_object_is_put_only_in_the_place_of_the_one_that_was_read(store: ObjectStore, root: S3Uri) -> None:
    read = store.put(root / "k", b"first")
    now = store.put(root / "k", b"second", if_match=read)
    with pytest.raises(ObjectChanged):
        store.put(root / "k", b"third", if_match=read)

    assert store.get(root / "k") == b"second"
    store.delete([root / "k"])
    with pytest.raises(ObjectChanged):
        store.put(root / "k", b"third", if_match=now)
    assert keys(store, root) == []


def test_a_prefix_is_raw_text(store: ObjectStore, root: S3Uri) -> None:
    for key in ("in/a", "in/b/c", "input", "out/a"):
        store.put(root / key, b"")

    assert keys(store, root / "in") == ["in/a", "in/b/c", "input"]
    assert keys(store, root / "in/") == ["in/a", "in/b/c"]
    assert keys(store, root / "nothing") == []


def test_a_listing_is_in_the_byte_order_of_keys(store: ObjectStore, root: S3Uri) -> None:
    names = ["a/b", "a-b", "a", "B", "é", "\U0001f600", "￿", "a0"]
    for name in names:
        store.put(S3Uri(root.bucket, name), b"")

    assert keys(store, root) == sorted(names, key=str.encode)


def test_a_listing_has_any_number_of_pages(store: ObjectStore, root: S3Uri) -> None:
    names = [f"{number:04}" for number in range(1_003)]
    for name in names:
        store.put(root / name, b"")

    assert keys(store, root) == names
    store.delete(root / name for name in names[1:])
    assert keys(store, root) == names[:1]


def test_deleting_what_is_not_there_is_no_error(store: ObjectStore, root: S3Uri) -> None:
    store.delete([root / "never"])
    store.delete([])

    assert keys(store, root) == []


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB, 17 * MIB])
def test_what_was_written_is_read(store: ObjectStore, root: S3Uri, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    with store.writer(root / "k") as target:
        assert target.write(memoryview(content)[: size // 3]) == size // 3
        target.write(content[size // 3 : size])

    assert store.stat(root / "k").size == size
    assert store.get(root / "k") == content[:size]


def test_a_buffer_may_be_reused_after_a_write(store: ObjectStore, root: S3Uri) -> None:
    buffer = bytearray(b"one")
    with store.writer(root / "k") as target:
        target.write(buffer)
        buffer[:] = b"two"
        target.write(memoryview(buffer))

    assert store.get(root / "k") == b"onetwo"


def give_up_writing(store: ObjectStore, uri: S3Uri, size: int, reason: BaseException) -> None:
    with store.writer(uri) as target:
        target.write(bytes(size))
        raise reason


@pytest.mark.parametrize("size", [3, 20 * MIB])
@pytest.mark.parametrize("reason", [ValueError(), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_an_exception_leaves_nothing(store: ObjectStore, root: S3Uri, size: int, reason: BaseException) -> None:
    with pytest.raises(type(reason)):
        give_up_writing(store, root / "k", size, reason)

    assert keys(store, root) == []


def test_an_exception_leaves_the_older_object(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"older")
    with pytest.raises(KeyboardInterrupt):
        give_up_writing(store, root / "k", 3, KeyboardInterrupt())

    assert store.get(root / "k") == b"older"


def test_an_object_appears_when_its_writer_is_done(store: ObjectStore, root: S3Uri) -> None:
    with store.writer(root / "k") as target:
        target.write(bytes(20 * MIB))

        assert keys(store, root) == []
    assert keys(store, root) == ["k"]


def test_reads_are_short_at_the_end_only(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"0123456789")
    buffer = bytearray(b"....")
    with store.reader(root / "k") as source:
        assert source.read(0) == b""
        assert source.read(3) == b"012"
        assert source.readinto(buffer) == 4
        assert bytes(buffer) == b"3456"
        assert source.readinto(memoryview(buffer)) == 3
        assert bytes(buffer) == b"7896"
        assert source.read(3) == b""
        assert source.read() == b""
        assert source.readinto(buffer) == 0


@pytest.mark.parametrize(("start", "size", "expected"), [(0, 3, b"012"), (8, 2, b"89"), (8, 9, b"89"), (9, 1, b"9")])
def test_a_range_is_read(store: ObjectStore, root: S3Uri, start: int, size: int, expected: bytes) -> None:
    store.put(root / "k", b"0123456789")

    assert store.get_range(root / "k", start, size) == expected


def test_a_reader_is_closed_with_its_context(store: ObjectStore, root: S3Uri) -> None:
    store.put(root / "k", b"0123456789")
    with store.reader(root / "k") as source:
        source.read(3)

    with pytest.raises(ValueError, match="closed"):
        source.read(3)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(-1, 9 * MIB), max_size=6))
def test_reads_of_any_sizes_add_up(store: ObjectStore, root: S3Uri, sizes: list[int]) -> None:
    content = bytes(range(251)) * 80_000
    if not keys(store, root):
        store.put(root / "k", content)
    with store.reader(root / "k") as source:
        pieces = [source.read(size) for size in sizes] + [source.read()]

    assert b"".join(pieces) == content
    assert all(len(piece) <= size for piece, size in zip(pieces, sizes, strict=False) if size >= 0)


Act = Callable[[ObjectStore, S3Uri], object]


def opened(store: ObjectStore, uri: S3Uri) -> bytes:
    with store.reader(uri) as source:
        return source.read()


def written(store: ObjectStore, uri: S3Uri) -> None:
    with store.writer(uri) as target:
        target.write(b"x")


READING: dict[str, Act] = {
    "stat": lambda store, uri: store.stat(uri),
    "get": lambda store, uri: store.get(uri),
    "reader": opened,
    "get_range": lambda store, uri: store.get_range(uri, 0, 1),
}
WRITING: dict[str, Act] = {
    "objects": lambda store, uri: list(store.objects(uri)),
    "put": lambda store, uri: store.put(uri, b""),
    "writer": written,
    "delete": lambda store, uri: store.delete([uri]),
}


@pytest.mark.parametrize("act", READING.values(), ids=READING)
def test_a_missing_object_is_named(store: ObjectStore, root: S3Uri, act: Act) -> None:
    with pytest.raises(ObjectNotFound) as caught:
        act(store, root / "missing")

    assert caught.value.uri == str(root / "missing")


@pytest.mark.parametrize("act", (READING | WRITING).values(), ids=READING | WRITING)
def test_a_missing_bucket_is_told_apart(store: ObjectStore, act: Act) -> None:
    with pytest.raises(BucketNotFound) as caught:
        act(store, S3Uri("no-such-bucket-anywhere", "k"))

    assert caught.value.uri.startswith("s3://no-such-bucket-anywhere/")
