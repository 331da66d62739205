"""A small HTTP/1.1 server on loopback, a thread for each connection: all that the container contract needs."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request, its path without a query; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. `phrase` is the text after the status; the status's usual one where it is empty."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    phrase: str = ""


Answerer = Callable[[Request], Reply]


def listen(port: int) -> Server:
    """Bind to loopback; 0 takes any free port, `server_port` tells which. Who connects waits until `serve`."""
    return Server((LOOPBACK, port), _Exchange)


def serve(server: Server, answerer: Answerer) -> None:
    """Answer requests until the process ends, those of different connections side by side."""
    server.answerer = answerer
    server.serve_forever()


class Server(ThreadingHTTPServer):
    """A listening socket and what answers there."""

    answerer: Answerer
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Tell the log what went wrong, but not that a client hung up."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            return self._send(Reply(HTTPStatus.BAD_REQUEST, b"The request's body is framed wrongly."))
        return self._answer(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave the log to what handlers print."""

    def _answer(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        self._send(self.server.answerer(Request(self.command, path, headers, body)))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status, _header_text(reply.phrase) or None)
        if reply.content_type:
            self.send_header("Content-Type", _header_text(reply.content_type))
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def _body(self) -> bytes:
        """Read the request's body; ValueError for a length that is none, ConnectionError for a body cut short."""
        if self.headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
            return b"".join(self._chunks())
        return self._exactly(_natural(self.headers.get("Content-Length", "0"), 10))

    def _chunks(self) -> Iterator[bytes]:
        while size := _natural(self.rfile.readline(1024).partition(b";")[0].decode("latin-1"), 16):
            yield self._exactly(size)
            self.rfile.readline(3)
        while self.rfile.readline(65536) not in {b"\r\n", b"\n", b""}:
            """Skip what trails the last chunk."""

    def _exactly(self, size: int) -> bytes:
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionAbortedError("the client hung up in mid-body")
        return body


def _natural(text: str, base: int) -> int:
    if not text.strip().isalnum():
        raise ValueError(text)
    return int(text, base)


def _header_text(text: str) -> str:
    return _CONTROLS.sub(" ", text).encode("latin-1", "replace").decode("latin-1")
