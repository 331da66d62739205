"""What lies between Airflow and the engine: a gate where calls are counted, held, lost and throttled."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# Longer than any test waits: what is still held by then belongs to a test that failed.
_HELD_SECONDS = 300.0
_ARRIVES_WITHIN = 180.0


class Side(Enum):
    """Where a held call waits: before the engine has seen it, or once the engine has answered it."""

    REQUEST = "request"
    ANSWER = "answer"


@dataclass(eq=False)
class Hold:
    """Calls of one operation for one prefix that wait in the gate; when it opens they are lost to their callers."""

    operation: str
    prefix: str
    side: Side
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    opened: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Wait for the next call to arrive."""
        assert self.arrived.acquire(timeout=_ARRIVES_WITHIN), f"no {self.operation} for {self.prefix}"


@dataclass(eq=False)
class Throttle:
    """Lets `rate` calls a second of one operation pass for one prefix, at most `burst` at once; counts the refused."""

    operation: str
    prefix: str
    rate: float
    burst: int
    refused: int = 0
    tokens: float = field(init=False)
    seen: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens, self.seen = self.burst, time.monotonic()

    def admits(self) -> bool:
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.seen) * self.rate)
        self.seen = now
        admitted = self.tokens >= 1
        self.tokens -= admitted
        self.refused += not admitted
        return admitted


class Gate:
    """An HTTP server that passes calls on to the engine, and what has passed it."""

    def __init__(self, engine: str) -> None:
        self.engine = urlsplit(engine)
        self.url = ""
        self._calls: Counter[tuple[str, str]] = Counter()
        self._holds: list[Hold] = []
        self._throttles: list[Throttle] = []
        self._lock = threading.Lock()

    def calls(self, operation: str, prefix: str) -> Counter[str]:
        """How many calls of an operation reached the engine, by job, for the jobs whose names begin so."""
        with self._lock:
            return Counter(
                {job: n for (name, job), n in self._calls.items() if name == operation and job.startswith(prefix)}
            )

    @contextmanager
    def hold(self, operation: str, prefix: str, side: Side) -> Iterator[Hold]:
        """Hold an operation's calls for a job's prefix until the block is left; then they get no answer."""
        hold = Hold(operation, prefix, side)
        with self._lock:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            with self._lock:
                self._holds.remove(hold)
            hold.opened.set()

    @contextmanager
    def throttle(self, operation: str, prefix: str, *, rate: float, burst: int) -> Iterator[Throttle]:
        """Refuse what is more than the rate allows, until the block is left."""
        throttle = Throttle(operation, prefix, rate, burst)
        with self._lock:
            self._throttles.append(throttle)
        try:
            yield throttle
        finally:
            with self._lock:
                self._throttles.remove(throttle)

    # ------------------------------------------------------------------------------------------- for the handler

    def admits(self, operation: str, job: str) -> bool:
        with self._lock:
            throttles = [one for one in self._throttles if one.operation == operation and job.startswith(one.prefix)]
            return all(one.admits() for one in throttles)

    def held(self, operation: str, job: str, side: Side) -> bool:
        """Wait where calls like this one are held; True for one that was."""
        with self._lock:
            found = [
                one
                for one in self._holds
                if one.operation == operation and job.startswith(one.prefix) and one.side is side
            ]
        for one in found:
            one.arrived.release()
            one.opened.wait(_HELD_SECONDS)
        return bool(found)

    def count(self, operation: str, job: str) -> None:
        with self._lock:
            self._calls[operation, job] += 1


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    gate: Gate

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        job = str(json.loads(body or b"{}").get("TransformJobName", ""))
        if not self.gate.admits(operation, job):
            self.answer(400, {"Content-Type": "application/x-amz-json-1.1"}, THROTTLED)
            return
        if self.gate.held(operation, job, Side.REQUEST):
            self.close_connection = True
            return
        self.gate.count(operation, job)
        status, headers, answer = self.exchange(body)
        if self.gate.held(operation, job, Side.ANSWER):
            self.close_connection = True
            return
        self.answer(status, headers, answer)

    def do_GET(self) -> None:
        self.answer(*self.exchange(None))

    def exchange(self, body: bytes | None) -> tuple[int, dict[str, str], bytes]:
        there = self.gate.engine
        connection = http.client.HTTPConnection(there.hostname or "", there.port or 80, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            """The caller was killed, which is what many of the tests do."""

    def log_message(self, *_: object) -> None:
        return


THROTTLED = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def gate_to(engine: str) -> Iterator[Gate]:
    gate = Gate(engine)
    kind: Any = type("Handler", (_Handler,), {"gate": gate})
    server = _Server(("127.0.0.1", 0), kind)
    gate.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield gate
    finally:
        server.shutdown()
        server.server_close()
