"""How S3Store reads over connections that break, from a server that breaks them on purpose."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from airflow_batchtx.errors import AccessDenied, BucketNotFound, ObjectNotFound, StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.download import RESUMPTIONS
from airflow_batchtx.storage.s3 import S3Store
from tests.conftest import s3_client_of

CONTENT = bytes(range(251)) * 80_000
TARGET = S3Uri("bucket", "k")


@dataclass
class FragileS3(ThreadingHTTPServer):
    """Serves CONTENT. Answer n breaks off after `cuts[n]` bytes and carries `etags[n]`; the last of each hold on."""

    cuts: list[int] = field(default_factory=lambda: [len(CONTENT)])
    etags: list[str] = field(default_factory=lambda: ['"one"'])
    checksum: str | None = None
    honours_if_match: bool = True
    honours_range: bool = True
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)

    __hash__ = object.__hash__

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up: they are the point."""


class Answer(BaseHTTPRequestHandler):
    server: FragileS3

    def do_GET(self) -> None:
        server, number = self.server, len(self.server.asked)
        wanted, expected = self.headers["Range"], self.headers["If-Match"]
        server.asked.append((wanted, expected))
        etag = server.etags[min(number, len(server.etags) - 1)]
        if server.honours_if_match and expected not in {None, etag}:
            return self.refuse(412)
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and server.honours_range else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if server.checksum:
            self.send_header("x-amz-checksum-crc32", server.checksum)
        self.end_headers()
        self.wfile.write(CONTENT[start:][: server.cuts[min(number, len(server.cuts) - 1)]])
        return None

    def do_HEAD(self) -> None:
        self.refuse(self.server.statuses["object" if self.path.count("/") > 1 else "bucket"])

    def refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[FragileS3]:
    with FragileS3() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(server: FragileS3) -> S3Store:
    client = s3_client_of(f"http://127.0.0.1:{server.server_port}", retries={"total_max_attempts": 1})
    return S3Store(client)


def read_in_pieces(store: S3Store, size: int) -> bytes:
    with store.reader(TARGET) as source:
        return b"".join(iter(lambda: source.read(size), b""))


@pytest.mark.parametrize("size", [999_983, 6 * 2**20, -1])
def test_a_broken_stream_goes_on_where_it_broke(server: FragileS3, store: S3Store, size: int) -> None:
    server.cuts = [3_000_000, 0, 7, 9_000_000, len(CONTENT)]

    assert read_in_pieces(store, size) == CONTENT
    [first, *others] = server.asked
    assert first == (None, None)
    assert others[0][0] == "bytes=3000000-"
    assert {etag for _, etag in others} == {'"one"'}


def test_readinto_goes_on_too(server: FragileS3, store: S3Store) -> None:
    server.cuts = [1_000, len(CONTENT)]
    buffer = bytearray(len(CONTENT) + 1)
    with store.reader(TARGET) as source:
        assert source.readinto(buffer) == len(CONTENT)

    assert buffer[:-1] == CONTENT


def test_a_stream_that_brings_nothing_is_given_up(server: FragileS3, store: S3Store) -> None:
    server.cuts = [1_000, 0]
    with pytest.raises(StorageError) as caught:
        store.get(TARGET)

    assert caught.value.code in {"IncompleteReadError", "ResponseStreamingError"}
    assert len(server.asked) == 1 + RESUMPTIONS


@pytest.mark.parametrize("honest", [True, False])
def test_a_changed_object_is_never_mixed(server: FragileS3, store: S3Store, honest: bool) -> None:
    server.cuts, server.etags, server.honours_if_match = [1_000, len(CONTENT)], ['"one"', '"two"'], honest
    with pytest.raises(StorageError) as caught:
        store.get(TARGET)

    assert caught.value.code in {"412", "PreconditionFailed"}


def test_a_server_that_starts_again_is_not_believed(server: FragileS3, store: S3Store) -> None:
    server.cuts, server.honours_range = [1_000, len(CONTENT)], False
    with pytest.raises(StorageError):
        store.get(TARGET)


def test_bytes_that_differ_from_their_checksum_are_refused(server: FragileS3, store: S3Store) -> None:
    server.checksum = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()
    assert read_in_pieces(store, 2**20) == CONTENT

    server.checksum = base64.b64encode(bytes(4)).decode()
    with pytest.raises(StorageError) as caught:
        read_in_pieces(store, 2**20)
    assert caught.value.code == "FlexibleChecksumError"


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ({"object": 404, "bucket": 200}, ObjectNotFound),
        ({"object": 404, "bucket": 404}, BucketNotFound),
        ({"object": 404, "bucket": 403}, ObjectNotFound),
        ({"object": 403}, AccessDenied),
        ({"object": 503}, StorageError),
    ],
)
def test_stat_tells_what_is_missing(
    server: FragileS3, store: S3Store, statuses: dict[str, int], kind: type[StorageError]
) -> None:
    server.statuses = statuses
    with pytest.raises(StorageError) as caught:
        store.stat(TARGET)

    assert type(caught.value) is kind
