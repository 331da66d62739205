from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from airflow_batchtx.modelserver import httpserver
from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.modelserver.httpserver import Answerer, Reply, Request
from airflow_batchtx.spec.uri import S3Uri


@contextmanager
def serving(answerer: Answerer) -> Iterator[int]:
    server = httpserver.listen(0)
    thread = threading.Thread(target=httpserver.serve, args=(server, answerer))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def raw(port: int, request: bytes) -> bytes:
    """Send `request`, end the sending side, and give all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall(request)
        link.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: link.recv(65536), b""))


def echo(request: Request) -> Reply:
    return Reply(200, request.body, request.headers.get("content-type"))


def test_it_listens_on_loopback_only() -> None:
    with closing(httpserver.listen(0).socket) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("size", [0, 1, 20_000_000])
@pytest.mark.parametrize("pieces", [None, 1, 3])
def test_bodies_come_through_whole(size: int, pieces: int | None) -> None:
    body = bytes(size)
    sent = body if pieces is None else [body[: size // 2], body[size // 2 :]]
    with serving(echo) as port, closing(ModelClient(f"http://127.0.0.1:{port}")) as client:
        for _ in range(2):
            answer = client.invoke(sent, content_type="text/csv", accept=None, source_object=S3Uri("b", "k"))

            assert answer == body


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        (b"Content-Length: 3\r\n\r\nabc", b"200"),
        (b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nTrailer: z\r\n\r\n", b"200"),
        (b"Content-Length: -1\r\n\r\nabc", b"400"),
        (b"Content-Length: 3e1\r\n\r\nabc", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", b"400"),
        (b"Content-Length: 10\r\n\r\nabc", b""),
        (b"Transfer-Encoding: chunked\r\n\r\nff\r\nabc", b""),
    ],
)
def test_framings(framing: bytes, status: bytes) -> None:
    seen: list[bytes] = []

    def noting(request: Request) -> Reply:
        seen.append(request.body)
        return Reply(200)

    with serving(noting) as port:
        answer = raw(port, b"POST /invocations HTTP/1.1\r\nHost: h\r\n" + framing)

    assert answer[9:12] == status
    assert seen == ([b"abc"] if status == b"200" else [])


def test_replies_cannot_forge_headers() -> None:
    reply = Reply(200, b"", "text/csv\r\nX-Forged: 1", phrase="fine\r\nX-Forged: ü€")
    with serving(lambda _request: reply) as port:
        answer = raw(port, b"GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 fine  X-Forged: \xfc?\r\n")
    assert b"\r\nX-Forged" not in answer


def test_connections_are_answered_side_by_side() -> None:
    together = threading.Barrier(4)

    def waiting(_request: Request) -> Reply:
        together.wait(10)
        return Reply(200, b"yes")

    def invoke(_index: int) -> bytes:
        return client.invoke(b"", content_type=None, accept=None, source_object=S3Uri("b", "k"))

    with (
        serving(waiting) as port,
        closing(ModelClient(f"http://127.0.0.1:{port}")) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        assert list(pool.map(invoke, range(4))) == [b"yes"] * 4
