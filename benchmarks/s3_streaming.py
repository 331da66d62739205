"""How fast, and in how much memory, Python streams objects from and to S3: this package against three ways to do it.

smart_open and obstore are installed beside the benchmark, and left out where that cannot be done. Every figure is the
median of the rounds; every measurement has a process of its own, and the clients take turns. CPU and memory are those
of the client.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.processes import ACCESS, BUCKET, MB, ROOT, S3_SERVERS, Unavailable, s3_client
from benchmarks.report import Options, Table, skipped

PIECE = 1024 * 1024
READ = 6 * 1024 * 1024
SMALL = 10_000


class BatchTx:
    def __init__(self, endpoint: str) -> None:
        from airflow_batchtx.spec.uri import S3Uri
        from airflow_batchtx.storage.s3 import S3Store

        self.uri, self.store = partial(S3Uri, BUCKET), S3Store(s3_client(endpoint))

    def download(self, key: str) -> Iterator[int]:
        with self.store.reader(self.uri(key)) as source:
            yield from iter(lambda: len(source.read(READ)), 0)

    def upload(self, key: str, pieces: Iterator[bytes]) -> None:
        with self.store.writer(self.uri(key)) as target:
            for piece in pieces:
                target.write(piece)

    def put(self, key: str, body: bytes) -> None:
        self.upload(key, iter([body]))


class Pieces(io.RawIOBase):
    """An iterator of bytes as the file that upload_fileobj wants."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.rest = pieces, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        found = io.BytesIO()
        found.write(self.rest)
        while size < 0 or found.tell() < size:
            if not (piece := next(self.pieces, b"")):
                break
            found.write(piece)
        data = found.getvalue()
        self.rest = data[size:] if size >= 0 else b""
        return data[:size] if size >= 0 else data


class Boto3:
    def __init__(self, endpoint: str) -> None:
        self.client = s3_client(endpoint)

    def download(self, key: str) -> Iterator[int]:
        body = self.client.get_object(Bucket=BUCKET, Key=key)["Body"]
        yield from iter(lambda: len(body.read(READ)), 0)

    def upload(self, key: str, pieces: Iterator[bytes]) -> None:
        self.client.upload_fileobj(Pieces(pieces), BUCKET, key)

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)


class SmartOpen:
    def __init__(self, endpoint: str, **parameters: int) -> None:
        import smart_open

        self.open = smart_open.open
        self.transport = {"client": s3_client(endpoint)} | parameters

    def download(self, key: str) -> Iterator[int]:
        with self.open(f"s3://{BUCKET}/{key}", "rb", transport_params=self.transport) as source:
            yield from iter(lambda: len(source.read(READ)), 0)

    def upload(self, key: str, pieces: Iterator[bytes]) -> None:
        with self.open(f"s3://{BUCKET}/{key}", "wb", transport_params=self.transport) as target:
            for piece in pieces:
                target.write(piece)

    def put(self, key: str, body: bytes) -> None:
        whole = self.transport | {"multipart_upload": False}
        with self.open(f"s3://{BUCKET}/{key}", "wb", transport_params=whole) as target:
            target.write(body)


class Obstore:
    def __init__(self, endpoint: str) -> None:
        import obstore
        from obstore.store import S3Store

        self.obstore = obstore
        self.store = S3Store(
            BUCKET,
            endpoint=endpoint,
            region=ACCESS["region_name"],
            access_key_id=ACCESS["aws_access_key_id"],
            secret_access_key=ACCESS["aws_secret_access_key"],
            client_options={"allow_http": True},
        )

    def download(self, key: str) -> Iterator[int]:
        yield from map(len, self.obstore.get(self.store, key).stream(min_chunk_size=READ))

    def upload(self, key: str, pieces: Iterator[bytes]) -> None:
        with self.obstore.open_writer(self.store, key, buffer_size=8 * 1024 * 1024, max_concurrency=2) as target:
            for piece in pieces:
                target.write(piece)

    def put(self, key: str, body: bytes) -> None:
        self.obstore.put(self.store, key, body)


CLIENTS: dict[str, Callable[[str], Any]] = {
    "boto3 alone": Boto3,
    "airflow_batchtx": BatchTx,
    "smart_open": SmartOpen,
    "smart_open, tuned": partial(SmartOpen, buffer_size=READ, min_part_size=8 * 1024 * 1024),
    "obstore": Obstore,
}


def get_large(client: Any, megabytes: int, _: int) -> float:
    taken = sum(client.download("large"))
    assert taken == pieces_of(megabytes) * PIECE
    return taken / MB


def put_large(client: Any, megabytes: int, _: int) -> float:
    count, piece = pieces_of(megabytes), os.urandom(PIECE)
    client.upload("written", iter([piece] * count))
    return count * PIECE / MB


def put_small(client: Any, _: int, objects: int) -> float:
    body = os.urandom(SMALL)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.put(f"small/{number}", body), range(objects)))
    return objects


def get_small(client: Any, _: int, objects: int) -> float:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda number: sum(client.download(f"small/{number}")), range(objects))) == SMALL * objects
    return objects


TASKS: dict[str, tuple[Callable[[Any, int, int], float], str]] = {
    "GET one large": (get_large, "MB/s"),
    "PUT one large": (put_large, "MB/s"),
    "PUT many of 10 KB": (put_small, "1/s"),
    "GET many of 10 KB": (get_small, "1/s"),
}


def pieces_of(megabytes: int) -> int:
    return megabytes * MB // PIECE


def measured(client: str, task: str, endpoint: str, megabytes: int, objects: int) -> dict[str, float]:
    """One measurement, in the process that runs it."""
    act = partial(TASKS[task][0], CLIENTS[client](endpoint), megabytes, objects)
    started, worked = time.perf_counter(), time.process_time()
    amount = act()
    return {
        "rate": amount / (time.perf_counter() - started),
        "cpu": (time.process_time() - worked) / amount * 1_000,
        "peak": peak_memory(),
    }


def peak_memory() -> float:
    """MB of this process at most so far. Linux's ru_maxrss starts from the parent's, VmHWM does not."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) * 1024 / MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def measured_apart(options: Options, packages: Path, endpoint: str, client: str, task: str) -> dict[str, float] | None:
    """One measurement in a process of its own; None where the client's package is not installed."""
    told = [client, task, endpoint, str(options.megabytes), str(options.objects)]
    path = os.pathsep.join(filter(None, [str(ROOT), str(packages), os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.s3_streaming", *told],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if ran.returncode and "ModuleNotFoundError" in ran.stderr:
        return None
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def peers(cache: Path) -> Path:
    """Give a folder with the packages of the other clients; it stays empty where they cannot be installed."""
    folder = cache / "s3-clients"
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, "smart_open", "wrapt", "obstore"], check=False, capture_output=True)
    return folder


def measure(options: Options) -> Iterator[Table]:
    packages = peers(options.cache)
    for name, server in S3_SERVERS.items():
        try:
            with server(options.cache) as endpoint:
                s3_client(endpoint).create_bucket(Bucket=BUCKET)
                Boto3(endpoint).upload("large", iter([os.urandom(PIECE)] * pieces_of(options.megabytes)))
                for task, (_, unit) in TASKS.items():
                    yield compared(f"{task} on {name}", unit, turns(options, packages, endpoint, task))
        except Unavailable as reason:
            yield skipped(f"Streams on {name}", str(reason))


def turns(options: Options, packages: Path, endpoint: str, task: str) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {client: [] for client in CLIENTS}
    for _ in range(options.rounds):
        for client in CLIENTS:
            if figures := measured_apart(options, packages, endpoint, client, task):
                found[client].append(figures)
    return found


def compared(title: str, unit: str, found: dict[str, list[dict[str, float]]]) -> Table:
    medians = {
        client: {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
        for client, rounds in found.items()
        if rounds
    }
    rows = tuple(
        (client, figures["rate"], figures["rate"] / medians["boto3 alone"]["rate"], figures["cpu"], figures["peak"])
        for client, figures in medians.items()
    )
    per = "GB" if unit == "MB/s" else "1,000"
    return Table(title, ("client", unit, "to boto3", f"CPU s per {per}", "peak MB"), rows)


if __name__ == "__main__":
    print(json.dumps(measured(*sys.argv[1:4], *map(int, sys.argv[4:]))))
