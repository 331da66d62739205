"""One HTTP/1.1 connection whose exchanges end by a deadline, whatever the server does."""

from __future__ import annotations

import gzip
import io
import select
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection, IncompleteRead
from urllib.parse import SplitResult

Body = bytes | bytearray | memoryview | Iterable[bytes]

# A large answer is read past this buffer, straight into its place; it only gathers headers and small chunks.
_READ_BUFFER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: its status, its body freed of gzip, and the body's type, None where it names none."""

    status: int
    body: bytes
    content_type: str | None = None


class Connection:
    """A kept connection to one server, for one thread at a time.

    An exchange that fails raises OSError (TimeoutError at its deadline), HTTPException, or what gzip raises for
    garbage (EOFError, zlib.error), and leaves the connection closed. What the body's iterator raises passes through.
    """

    def __init__(self, url: SplitResult, *, clock: Callable[[], float]) -> None:
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        self._http = kind(url.hostname or "", url.port)
        self._base = url.path.rstrip("/")
        self._clock = clock
        self._socket: _BoundedSocket | None = None
        self.answered = False
        """Whether the last exchange got as far as an answer's headers."""

    def is_kept(self) -> bool:
        """Tell whether the server still holds the connection open, with nothing said unasked."""
        return self._socket is not None and self._http.sock is not None and not self._socket.is_readable()

    def exchange(self, method: str, path: str, headers: Mapping[str, bytes], body: Body, *, seconds: float) -> Answer:
        """Send one request and read its answer whole, both together within `seconds`."""
        self.answered = False
        try:
            self._send(self._linked(seconds), method, path, headers, body)
            return self._received()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next exchange opens it again."""
        self._http.close()
        self._socket = None

    def _linked(self, seconds: float) -> _BoundedSocket:
        expires = self._clock() + seconds
        if not self.is_kept():
            self.close()
            self._http.timeout = seconds
            self._http.connect()
            self._socket = _BoundedSocket(self._http.sock, self._clock)
            self._http.sock = self._socket
        assert self._socket is not None
        self._socket.expires = expires
        return self._socket

    def _send(self, link: _BoundedSocket, method: str, path: str, headers: Mapping[str, bytes], body: Body) -> None:
        framing, pieces = _framed(body)
        self._http.putrequest(method, self._base + path, skip_accept_encoding=True)
        for name, value in {**headers, **(framing if method == "POST" else {})}.items():
            self._http.putheader(name, value)
        self._http.endheaders()
        for piece in pieces:
            if link.broken:
                break
            self._http.send(piece)

    def _received(self) -> Answer:
        with self._http.getresponse() as response:
            self.answered = True
            body = response.read()
        packed = response.headers.get("Content-Encoding", "").strip().lower() in {"gzip", "x-gzip"}
        return Answer(response.status, gzip.decompress(body) if packed else body, response.headers.get("Content-Type"))


def _framed(body: Body) -> tuple[dict[str, bytes], Iterable[bytes | bytearray | memoryview]]:
    if isinstance(body, bytes | bytearray | memoryview):
        size = memoryview(body).nbytes
        return {"Content-Length": b"%d" % size}, (body,) if size else ()
    return {"Transfer-Encoding": b"chunked"}, _chunks(body)


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n" % len(piece)
            yield piece
            yield b"\r\n"
    yield b"0\r\n\r\n"


class _BoundedSocket:
    """A connected socket each of whose calls gets only what is left of the time until `expires`."""

    def __init__(self, inner: socket.socket, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._clock = clock
        self.expires = 0.0
        self.broken = False
        """Whether the server hung up while it was sent to. Not an error yet: it may have answered before."""

    def bound(self) -> None:
        """Give the next call what is left of the time."""
        left = self.expires - self._clock()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        self._inner.settimeout(left)

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`, or note that the server hung up."""
        self.bound()
        try:
            self._inner.sendall(data)
        except ConnectionError:
            self.broken = True

    def makefile(self, mode: str) -> io.BufferedReader:
        """Open what the server sends; it stays open when the socket is closed, as a socket's own file does."""
        assert mode == "rb"
        return _WholeLines(_BoundedFile(self, self._inner.makefile("rb", buffering=0)), _READ_BUFFER)

    def is_readable(self) -> bool:
        """Tell whether the server sent something or hung up."""
        poll = select.poll()
        poll.register(self._inner, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()


class _WholeLines(io.BufferedReader):
    """Refuses an answer cut off in its headers, which http.client would take for a whole one without a body."""

    _begun = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and (line or self._begun) and len(line) != size:
            raise IncompleteRead(line)
        self._begun = True
        return line


class _BoundedFile(io.RawIOBase):
    def __init__(self, owner: _BoundedSocket, raw: io.RawIOBase) -> None:
        self._owner = owner
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]  # typeshed's Buffer
        self._owner.bound()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
