"""How long a look at a job's progress holds up the event loop that it is made beside: `python -m benchmarks.progress`.

Against reading the job's intent instead, which names every object, and against any busy thread, whose stalls are those
of the machine. Python's garbage collector adds its own, whoever makes the garbage. The S3 is a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from benchmarks.triggering import stalls

OBJECTS = (1_000, 10_000, 100_000)
PAGE = 1_000
BUSY = 5.0  # seconds
JOB = "nightly-0123456789ab"
STATE = '{"etag": "\\"0123456789abcdef0123456789abcdef\\"", "modified": "2026-11-22T10:00:00+00:00"}'


def intent(count: int) -> bytes:
    pinned = (
        f'{{"uri": "s3://b/in/part-{number:06}.csv", "size": 1048576, "etag": "e{number:032}", "sha256": null, '
        f'"target": "s3://b/out/part-{number:06}.csv.out", "before": {STATE}, "done": null}}'
        for number in range(count)
    )
    versions = (f'"s3://b/in/part-{number:06}.csv": "etag:e{number:032}:1048576"' for number in range(count))
    return (
        f'{{"job_name": "{JOB}", "attempt": 1, "epoch": 0, "written": "2026-11-23T12:00:00.000+00:00", "identity": '
        '{"namespace": "n", "dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1}, "request": {}, '
        f'"work": {{"request": {{}}, "model": {{}}, "objects": {{{",".join(versions)}}}}}, '
        f'"objects": [{",".join(pinned)}], "empty": [], "left_out": 0, "prepared": null, "rows": null, '
        '"model_created": null, "output": "s3://b/out/"}'
    ).encode()


def page(count: int, first: int) -> bytes:
    contents = "".join(
        f"<Contents><Key>out/part-{number:06}.csv.out</Key><LastModified>2026-11-23T13:00:00.000Z</LastModified>"
        f"<ETag>&quot;{number:032}&quot;</ETag><Size>1048576</Size></Contents>"
        for number in range(first, min(first + PAGE, count))
    )
    more = f"<NextContinuationToken>{first + PAGE}</NextContinuationToken>" if first + PAGE < count else ""
    head = f"<Name>b</Name><IsTruncated>{'true' if more else 'false'}</IsTruncated>{more}"
    return f"<ListBucketResult>{head}{contents}</ListBucketResult>".encode()


def serve(count: int) -> None:
    objects = {
        f"/b/_batchtx/{JOB}/sent.json": json.dumps({"objects": count, "output": "s3://b/out/"}).encode(),
        f"/b/_batchtx/{JOB}/intent.json": intent(count),
    }
    pages = {first: page(count, first) for first in range(0, count, PAGE)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            token = int(parse_qs(asked.query).get("continuation-token", ["0"])[0])
            self._answer(objects.get(asked.path) or pages[token])

        def do_HEAD(self) -> None:
            self._answer(objects[urlsplit(self.path).path])

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            for name, value in (
                ("Content-Length", str(len(body))),
                ("ETag", '"e"'),
                ("Last-Modified", "Mon, 23 Nov 2026 12:00:00 GMT"),
            ):
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


async def stall(act: Callable[[], object]) -> tuple[float, float]:
    """Give the seconds that an act takes in a thread, and the longest for which the event loop does not turn."""
    worst = [0.0]
    watchdog = asyncio.create_task(stalls(worst))
    await asyncio.sleep(0.1)
    worst[0] = 0.0
    began = time.perf_counter()
    await asyncio.to_thread(act)
    took = time.perf_counter() - began
    await asyncio.sleep(0.05)
    watchdog.cancel()
    return took, worst[0]


def busy() -> None:
    until = time.perf_counter() + BUSY
    while time.perf_counter() < until:
        pass


def measured(count: int) -> None:
    import boto3

    from airflow_batchtx.control.ledger import Ledger
    from airflow_batchtx.spec.uri import S3Uri
    from airflow_batchtx.storage.s3 import S3Store

    command = [sys.executable, "-m", "benchmarks.progress", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        store = S3Store(client)
        folder = S3Uri("b", f"_batchtx/{JOB}/")
        ledger = Ledger.of(store, folder)
        ledger.announced(JOB)  # the connection is made once in a client's life

        def progress() -> None:
            sent = ledger.sent(JOB)
            assert sent
            assert sum(1 for _ in store.objects(sent.output)) == count

        for name, act in (("busy", busy), ("progress", progress), ("intent", lambda: ledger.intent(JOB))):
            took, longest = asyncio.run(stall(act))
            print(
                f"{count:7,} objects  {name:8}  took {took:6.2f} s  longest stall {longest * 1000:6.0f} ms", flush=True
            )
        server.terminate()


if __name__ == "__main__":
    if arguments := sys.argv[1:]:
        serve(int(arguments[0]))
    else:
        for objects in OBJECTS:
            measured(objects)
