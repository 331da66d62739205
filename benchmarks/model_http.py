"""Which HTTP server for handlers, and which client for model servers.

Each server runs in a process of its own and echoes what it is sent; four threads send to it, first payloads of 6 MiB,
then of 200 bytes. Then the clients, four threads each, against the fastest server. What is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial

from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.spec.uri import S3Uri
from benchmarks.report import Options, Table

THREADS = 4
LARGE, SMALL = 6 * 2**20, 200
SOURCE = S3Uri("bucket", "key")
Invoke = Callable[[bytes], bytes]

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def ping(request): return Response()
async def echo(request): return Response(await request.body())
app = Starlette(routes=[Route("/ping", ping), Route("/invocations", echo, methods=["POST"])])
"""
SERVERS: dict[str, tuple[str, str]] = {
    "our handler server": (
        "airflow_batchtx",
        """
from airflow_batchtx.modelserver.httpserver import Reply, listen, serve
serve(listen(PORT), lambda request: Reply(200, request.body))
""",
    ),
    "uvicorn, h11": (
        "uvicorn",
        STARLETTE + "import uvicorn; uvicorn.run(app, port=PORT, http='h11', loop='asyncio', log_level='error')",
    ),
    "uvicorn, httptools, uvloop": (
        "httptools",
        STARLETTE + "import uvicorn; uvicorn.run(app, port=PORT, http='httptools', loop='uvloop', log_level='error')",
    ),
    "waitress": (
        "waitress",
        """
import waitress
def app(environ, start):
    start("200 OK", [])
    return [environ["wsgi.input"].read()]
waitress.serve(app, host="127.0.0.1", port=PORT, threads=4)
""",
    ),
    "cheroot": (
        "cheroot",
        """
from cheroot import wsgi
def app(environ, start):
    length = environ.get("CONTENT_LENGTH") or "0"
    start("200 OK", [("Content-Length", length)])
    return [environ["wsgi.input"].read(int(length))]
wsgi.Server(("127.0.0.1", PORT), app).start()
""",
    ),
    "granian": (
        "granian",
        STARLETTE
        + """
from granian.server.embed import Server
import asyncio
asyncio.run(Server(app, port=PORT, interface="asgi").serve())
""",
    ),
}


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(code: str) -> Iterator[tuple[str, float]]:
    """The server's URL, and the seconds from its start to its first answered ping."""
    port = free_port()
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", f"PORT = {port}\n{code}"])
    try:
        url = f"http://127.0.0.1:{port}"
        with closing(ModelClient(url, sleep=lambda _: time.sleep(0.005))) as client:
            client.ping(deadline=began + 20, ended=lambda: None if process.poll() is None else "it ended")
        yield url, time.monotonic() - began
    finally:
        process.kill()
        process.wait()


def rate(invoke: Invoke, size: int, calls: int, rounds: int) -> float:
    """Calls a second, median of the rounds after one for warmth."""
    body = b"x" * size
    with ThreadPoolExecutor(THREADS) as pool:

        def once() -> float:
            began = time.monotonic()
            assert all(len(answer) == size for answer in pool.map(invoke, [body] * calls))
            return calls / (time.monotonic() - began)

        once()
        return statistics.median(once() for _ in range(rounds))


def rates(invoke: Invoke, rounds: int) -> tuple[float, float]:
    """MB a second with large bodies, calls a second with small ones."""
    return rate(invoke, LARGE, 80, rounds) * LARGE / 1e6, rate(invoke, SMALL, 2000, rounds)


def ours(client: ModelClient) -> Invoke:
    return partial(client.invoke, content_type="text/csv", accept=None, source_object=SOURCE)


def urllib3_client(url: str) -> Invoke:
    import urllib3

    pool = urllib3.HTTPConnectionPool("127.0.0.1", int(url.rpartition(":")[2]), maxsize=THREADS)
    return lambda body: pool.request("POST", "/invocations", body=body, headers={"Content-Type": "text/csv"}).data


def requests_client(url: str) -> Invoke:
    import threading

    import requests

    own = threading.local()

    def invoke(body: bytes) -> bytes:
        own.session = getattr(own, "session", None) or requests.Session()
        return bytes(own.session.post(url + "/invocations", data=body, headers={"Content-Type": "text/csv"}).content)

    return invoke


def httpx_client(url: str) -> Invoke:
    import httpx

    client = httpx.Client()
    return lambda body: client.post(url + "/invocations", content=body, headers={"Content-Type": "text/csv"}).content


CLIENTS = {"urllib3": urllib3_client, "requests": requests_client, "httpx": httpx_client}


def measure(options: Options) -> Iterator[Table]:
    rows = list[tuple[str | float, ...]]()
    for name, (module, code) in SERVERS.items():
        if importlib.util.find_spec(module):
            with running(code) as (url, start), closing(ModelClient(url)) as client:
                rows.append((name, *rates(ours(client), options.rounds), start))
    yield Table("Servers for handlers", ("server", "MB/s of 6 MiB", "calls/s of 200 bytes", "s to start"), tuple(rows))
    rows = []
    with running(SERVERS["our handler server"][1]) as (url, _):
        with closing(ModelClient(url)) as client:
            rows.append(("ours (http.client)", *rates(ours(client), options.rounds)))
        for name, make in CLIENTS.items():
            if importlib.util.find_spec(name):
                rows.append((name, *rates(make(url), options.rounds)))
    yield Table("Clients of model servers", ("client", "MB/s of 6 MiB", "calls/s of 200 bytes"), tuple(rows))
