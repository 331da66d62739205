"""A model server that costs next to nothing: `/echo` answers what it is sent, `/score` a score for each line.

`python -m benchmarks.model` prints its port. `GET …/first` tells when it was first asked since the last such look.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import BinaryIO

SCORE, DOCUMENT = b"0.987654\n", b'{"score":0.987654}\n'
BUFFER = 1024 * 1024


def answer(path: str, body: memoryview) -> bytes | memoryview:
    kind = path.split("/")[1]
    if kind == "echo":
        return body
    return (DOCUMENT if kind == "document" else SCORE) * bytes(body).count(b"\n")


class Server:
    def __init__(self) -> None:
        self.first = 0.0

    def serve(self, link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with link, link.makefile("rb") as source:
            buffer = bytearray(BUFFER)
            while request := source.readline().decode():
                method, path, _ = request.split()
                size = length(source)
                if size > len(buffer):
                    buffer = bytearray(size)
                body = memoryview(buffer)[:size]
                source.readinto(body)
                status, told = self.reply(method, path, body)
                link.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(told)))
                link.sendall(told)

    def reply(self, method: str, path: str, body: memoryview) -> tuple[bytes, bytes | memoryview]:
        if method == "POST":
            self.first = self.first or time.time()
            return b"200 OK", answer(path, body)
        if path.endswith("/first"):
            told, self.first = b"%f" % self.first, 0.0
            return b"200 OK", told
        return (b"200 OK" if path.endswith("/ping") else b"404 Not Found"), b""


def length(source: BinaryIO) -> int:
    size = 0
    while (line := source.readline()) not in {b"\r\n", b""}:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return size


def main() -> None:
    server = Server()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            link, _ = listener.accept()
            threading.Thread(target=server.serve, args=(link,), daemon=True).start()


if __name__ == "__main__":
    main()
