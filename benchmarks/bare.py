"""What nothing faster than a plain script can do, as processes to measure against.

`python -m benchmarks.bare` reads a line of JSON: which work, and on what; says `ready`, and begins at the next line.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.s3 import S3Store
from benchmarks.processes import BUCKET, s3_client

Work = Callable[[], None]


def pipeline(told: dict[str, Any]) -> Work:
    """Send fixed cuts of an object to the model, and write what it answers; as many in flight as the engine has.

    `whole` writes each cut before its answer: as much output as a join has, without its work.
    """
    client, ask = s3_client(told["endpoint"]), asking(told)
    store = S3Store(client)

    def work() -> None:
        body = client.get_object(Bucket=BUCKET, Key=told["source"])["Body"]
        cuts = iter(lambda: body.read(told["payload"]), b"")
        with ThreadPoolExecutor(told["concurrent"]) as pool, store.writer(S3Uri(BUCKET, told["target"])) as target:
            for cut, answer in in_flight(pool, ask, cuts, told["concurrent"]):
                if told["whole"]:
                    target.write(cut)
                target.write(answer)

    return work


def asking(told: dict[str, Any]) -> Callable[[bytes], bytes]:
    url, own = urlsplit(told["model"]), threading.local()

    def ask(cut: bytes) -> bytes:
        if not hasattr(own, "link"):
            own.link = http.client.HTTPConnection(url.hostname or "", url.port)
        own.link.request("POST", url.path + "/invocations", cut, {"Content-Type": told["type"]})
        return bytes(own.link.getresponse().read())

    return ask


def in_flight(
    pool: ThreadPoolExecutor, ask: Callable[[bytes], bytes], cuts: Iterable[bytes], concurrent: int
) -> Iterator[tuple[bytes, bytes]]:
    """Give cuts with their answers, in order."""
    window: deque[tuple[bytes, Future[bytes]]] = deque()
    for cut in cuts:
        window.append((cut, pool.submit(ask, cut)))
        if len(window) > concurrent:
            first, answer = window.popleft()
            yield first, answer.result()
    for left, answer in window:
        yield left, answer.result()


def small(told: dict[str, Any]) -> Work:
    """Get every small object and put it elsewhere, with eight threads."""
    client = s3_client(told["endpoint"])

    def copy(number: int) -> None:
        body = client.get_object(Bucket=BUCKET, Key=f"{told['source']}{number:05}")["Body"].read()
        client.put_object(Bucket=BUCKET, Key=f"{told['target']}{number:05}.out", Body=body)

    def work() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(copy, range(told["objects"])))

    return work


WORKS: dict[str, Callable[[dict[str, Any]], Work]] = {"pipeline": pipeline, "small": small}


def main(lines: Iterator[str]) -> None:
    told = json.loads(next(lines))
    work = WORKS[told["work"]](told)
    print("ready", flush=True)
    next(lines)
    work()
    print("done", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.stdin)
