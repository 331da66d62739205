"""Model servers that misbehave to order, on a raw socket: what http.server would never send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Scripted:
    """A server that plays one act for each connection, the last one for all further ones, and keeps what it got."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


Act = Callable[["Caller"], None]


@dataclass
class Caller:
    """One client's connection, as an act sees it."""

    link: socket.socket
    server: Scripted

    def request(self) -> bytes:
        """Read one whole request (by Content-Length or to the last chunk); empty when the client hung up."""
        text = b""
        while b"\r\n\r\n" not in text:
            if not (piece := self.link.recv(65536)):
                return b""
            text += piece
        head, _, body = text.partition(b"\r\n\r\n")
        size = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), None)
        chunked = b"Transfer-Encoding: chunked" in head
        while (size is not None and len(body) < size) or (chunked and not body.endswith(b"0\r\n\r\n")):
            body += self.link.recv(65536)
        self.server.requests.append(head + b"\r\n\r\n" + body)
        return self.server.requests[-1]

    def send(self, data: bytes) -> None:
        self.link.sendall(data)

    def reset(self) -> None:
        """Close so that the client sees a reset, not an end."""
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    def hang(self) -> None:
        """Say nothing until the client hangs up."""
        while self.link.recv(65536):
            pass


def answering(raw: bytes) -> Act:
    """Answer every request of a connection with `raw`."""

    def act(caller: Caller) -> None:
        while caller.request():
            caller.send(raw)

    return act


def ok(body: bytes = b"", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), headers, body)


def status(code: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (code, len(body), body)


@contextmanager
def scripted(*acts: Act) -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}")
        links: list[socket.socket] = []

        def play(link: socket.socket, act: Act) -> None:
            with link, suppress(OSError):
                act(Caller(link, server))

        def accept() -> None:
            while True:
                try:
                    link, _ = listener.accept()
                except OSError:
                    return
                links.append(link)
                act = acts[min(server.connections, len(acts) - 1)]
                server.connections += 1
                threading.Thread(target=play, args=(link, act), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            for link in links:
                link.close()
