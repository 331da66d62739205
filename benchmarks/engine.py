"""The local engine against bare clients, on S3 servers that install as packages.

Each figure of a stream is a ratio: the bare client and an instance of the engine take turns on the same object, the
same model server and the same S3, and their medians are compared. What starts a process is not in it (see the jobs).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_batchtx.engine.order import ContainerOrder, Order, terms
from airflow_batchtx.engine.stores import S3Address
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.uri import S3Uri
from benchmarks import datasets
from benchmarks.datasets import CSV, JSON_LINES, RECORD_IO
from benchmarks.processes import (
    ACCESS,
    BUCKET,
    MB,
    S3_SERVERS,
    Taken,
    Unavailable,
    Watched,
    model_server,
    run_script,
    s3_client,
)
from benchmarks.report import Options, Table, shown, skipped, verdict

SMALL = 10_000
PAYLOAD_MB, CONCURRENT = 6, 4
WIDE = ((25, 4), (12, 8))  # MaxPayloadInMB and MaxConcurrentTransforms beyond the usual
JOIN = {"JoinSource": "Input"}
MEMORY_GOAL, START_GOAL, SMALL_GOAL = 300.0, 2.0, 0.8


@dataclass(frozen=True)
class Stream:
    """A way of data through a job; `answers` is the model, `whole` says that the output holds the input too."""

    name: str
    source: str
    processing: dict[str, str]
    goal: float | None
    answers: str = "echo"
    kind: str = CSV
    split: str = "Line"

    @property
    def whole(self) -> bool:
        return "JoinSource" in self.processing


SOURCES: dict[str, Callable[[], bytes]] = {
    "plain": lambda: datasets.block(datasets.plain),
    "quoted": lambda: datasets.block(datasets.with_quotes_needed),
    "document": lambda: datasets.block(datasets.document),
    "canonical": lambda: datasets.block(datasets.canonical_document),
    "recordio": lambda: datasets.record_io(datasets.plain),
}
STREAMS = (
    Stream("CSV", "plain", {}, 0.9),
    Stream("CSV, join", "plain", JOIN, 0.8, "score"),
    Stream("CSV, join with an echo", "plain", JOIN, 0.8),
    Stream("CSV, filter $[1:]", "plain", {"InputFilter": "$[1:]"}, 0.6),
    Stream("CSV, filter $[1:], join", "plain", {"InputFilter": "$[1:]", **JOIN}, None, "score"),
    Stream("CSV with quotes, join", "quoted", JOIN, 0.4, "score"),
    Stream("JSON Lines, join", "document", JOIN, 0.3, "document", JSON_LINES),
    Stream("JSON Lines, compact and sorted, join", "canonical", JOIN, 0.3, "document", JSON_LINES),
    Stream("RecordIO", "recordio", {}, None, "echo", RECORD_IO, "RecordIO"),
)


@dataclass(frozen=True)
class Place:
    """Where instances are measured: an S3 server with the sources in it, and a model server."""

    endpoint: str
    model: str
    folder: Path

    def order(self, model: str, transfers: tuple[Transfer, ...], **members: Any) -> Order:
        source = {name: members[name] for name in ("ContentType", "SplitType") if name in members}
        request = {
            "MaxPayloadInMB": members.get("MaxPayloadInMB", PAYLOAD_MB),
            "MaxConcurrentTransforms": members.get("MaxConcurrentTransforms", CONCURRENT),
            "BatchStrategy": "MultiRecord",
            "TransformInput": source,
            "TransformOutput": {"AssembleWith": members["AssembleWith"]} if "AssembleWith" in members else {},
            "DataProcessing": members.get("DataProcessing", {}),
        }
        return Order(
            containers=(
                ContainerOrder(
                    image=f"{self.model}/{model}",
                    log=str(self.folder / "container.log"),
                    model_dir=None,
                    environment={},
                ),
            ),
            terms=terms(request, started=0),
            transfers=transfers,
            s3=S3Address(self.endpoint, ACCESS["region_name"], made_up=True),
            ping_seconds=30,
        )

    def instance(self, order: Order) -> Taken:
        """Run an instance, timed from when its model server has answered to when all outputs are written."""
        watched = Watched("-m", "airflow_batchtx.engine.instance")
        watched.tell(order.to_json())
        before = began = ended = 0.0
        for line in watched.told():
            kind, text = json.loads(line)
            if text.startswith("MaxConcurrentTransforms"):
                before, began = watched.cpu(), time.perf_counter()
            elif kind == "ended":
                ended = time.perf_counter()
            elif kind in {"failed", "data-log"}:
                raise RuntimeError(f"the instance said {text}")
        return Taken(ended - began, watched.end() - before, watched.peak)

    def engine(self, stream: Stream, **members: Any) -> Taken:
        transfer = Transfer(S3Uri(BUCKET, stream.source), S3Uri(BUCKET, "engine.out"))
        return self.instance(
            self.order(
                stream.answers,
                (transfer,),
                ContentType=stream.kind,
                SplitType=stream.split,
                AssembleWith="Line" if stream.split == "Line" else "None",
                DataProcessing=stream.processing,
                **members,
            )
        )

    def bare(self, stream: Stream) -> Taken:
        told = {
            "work": "pipeline",
            "endpoint": self.endpoint,
            "model": f"{self.model}/{stream.answers}",
            "source": stream.source,
            "target": "bare.out",
            "payload": PAYLOAD_MB * 1024 * 1024,
            "concurrent": CONCURRENT,
            "type": stream.kind,
            "whole": stream.whole,
        }
        return run_script("benchmarks.bare", told)

    def size(self, key: str) -> int:
        return int(s3_client(self.endpoint).head_object(Bucket=BUCKET, Key=key)["ContentLength"])

    def upload(self, source: str, size: int) -> None:
        """Write `size` bytes of a source, a part of it at a time."""
        block = SOURCES[source]()
        times = -(-64 * MB // len(block))
        client, parts = s3_client(self.endpoint), list[dict[str, Any]]()
        upload = client.create_multipart_upload(Bucket=BUCKET, Key=source)["UploadId"]
        while (left := size // len(block) - len(parts) * times) > 0:
            told = {"Bucket": BUCKET, "Key": source, "UploadId": upload, "PartNumber": len(parts) + 1}
            answer = client.upload_part(Body=block * min(times, left), **told)
            parts.append({"PartNumber": told["PartNumber"], "ETag": answer["ETag"]})
        client.complete_multipart_upload(Bucket=BUCKET, Key=source, UploadId=upload, MultipartUpload={"Parts": parts})


@contextmanager
def place(server: str, cache: Path) -> Iterator[Place]:
    with S3_SERVERS[server](cache) as endpoint, model_server() as model, TemporaryDirectory() as folder:
        s3_client(endpoint).create_bucket(Bucket=BUCKET)
        yield Place(endpoint, model, Path(folder))


def measure(options: Options) -> Iterator[Table]:
    for server in S3_SERVERS:
        try:
            with place(server, options.cache) as here:
                yield streams(server, here, options)
                yield small_objects(server, here, options)
                if server == "moto":
                    yield memory(here, options)
                    yield starts(here, options)
        except Unavailable as reason:
            yield skipped(f"The engine on {server}", str(reason))


# --------------------------------------------------------------------------------------------------- large objects


def streams(server: str, here: Place, options: Options) -> Table:
    rows = list[tuple[str | float | None, ...]]()
    for source in dict.fromkeys(stream.source for stream in STREAMS):
        here.upload(source, options.megabytes * MB)
        for stream in STREAMS:
            if stream.source == source:
                rows.append(compared(stream, here, options))
        s3_client(here.endpoint).delete_object(Bucket=BUCKET, Key=source)
    columns = ("stream", "engine MB/s", "bare MB/s", "ratio", "goal", "", "CPU s/GB", "bare CPU s/GB", "peak MB")
    note = (
        f"{options.megabytes} MB from S3 to S3, {PAYLOAD_MB} MiB x {CONCURRENT}, medians of {options.rounds} rounds in"
        " turns. bare: fixed cuts, no split, no join, as many bytes written as the engine writes, by the same writer."
    )
    return Table(f"One large object on {server}", columns, tuple(rows), (note,))


def compared(stream: Stream, here: Place, options: Options) -> tuple[str | float | None, ...]:
    megabytes = here.size(stream.source) / MB
    bare, ours = list[Taken](), list[Taken]()
    for _ in range(options.rounds):
        bare.append(here.bare(stream))
        ours.append(here.engine(stream))
    of_bare, of_ours = (megabytes / statistics.median(one.seconds for one in taken) for taken in (bare, ours))
    cpu_ours, cpu_bare = (statistics.median(one.cpu for one in taken) / megabytes * 1000 for taken in (ours, bare))
    ratio, peak = of_ours / of_bare, max(one.peak for one in ours)
    told = ("", "") if stream.goal is None else (shown(stream.goal), verdict(ratio, stream.goal))
    return (stream.name, of_ours, of_bare, ratio, *told, cpu_ours, cpu_bare, peak)


# --------------------------------------------------------------------------------------------------- small objects


def small_objects(server: str, here: Place, options: Options) -> Table:
    client, body = s3_client(here.endpoint), os.urandom(SMALL)
    for number in range(options.objects):
        client.put_object(Bucket=BUCKET, Key=f"in/{number:05}", Body=body)
    told = {"work": "small", "endpoint": here.endpoint, "objects": options.objects, "source": "in/", "target": "bare/"}
    transfers = tuple(
        Transfer(S3Uri(BUCKET, f"in/{number:05}"), S3Uri(BUCKET, f"out/{number:05}.out"))
        for number in range(options.objects)
    )
    order = here.order("echo", transfers, MaxConcurrentTransforms=CONCURRENT)
    bare, ours = list[Taken](), list[Taken]()
    for _ in range(options.rounds):
        bare.append(run_script("benchmarks.bare", told))
        ours.append(here.instance(order))
    rates = [options.objects / statistics.median(one.seconds for one in taken) for taken in (ours, bare)]
    cpu = [statistics.median(one.cpu for one in taken) / options.objects * 1000 for taken in (ours, bare)]
    ratio = rates[0] / rates[1]
    row = ("10 KB, get, echo, put", *rates, ratio, shown(SMALL_GOAL), verdict(ratio, SMALL_GOAL), *cpu)
    columns = ("objects", "engine 1/s", "boto3 1/s", "ratio", "goal", "", "CPU ms", "boto3 CPU ms")
    note = (
        f"{options.objects} objects, medians of {options.rounds} rounds in turns. boto3: the same gets and puts with 8"
        " threads, no model."
    )
    return Table(f"Small objects on {server}", columns, (row,), (note,))


# ---------------------------------------------------------------------------------------------------------- memory


def memory(here: Place, options: Options) -> Table:
    rows = list[tuple[str | float, ...]]()
    shapes = (
        ("Line", STREAMS[0]),
        ("Line, join", STREAMS[1]),
        ("Line, quotes, join", next(stream for stream in STREAMS if stream.source == "quoted")),
        ("JSON Lines, join", next(stream for stream in STREAMS if stream.source == "document")),
        ("RecordIO", STREAMS[-1]),
    )
    sizes = (options.megabytes // 3, options.megabytes)
    for name, stream in shapes:
        peaks = list[float]()
        for size in sizes:
            here.upload(stream.source, size * MB)
            peaks.append(here.engine(stream).peak)
        rows.append((name, "6 MB x 4", *peaks, shown(MEMORY_GOAL), verdict(max(peaks), MEMORY_GOAL, at_most=True)))
        if stream.source == "plain":
            for payload, count in WIDE:
                peak = here.engine(stream, MaxPayloadInMB=payload, MaxConcurrentTransforms=count).peak
                rows.append((name, f"{payload} MB x {count}", "", peak, "", ""))
        s3_client(here.endpoint).delete_object(Bucket=BUCKET, Key=stream.source)
    columns = ("split", "payload x requests", *(f"peak at {size} MB" for size in sizes), "goal", "")
    return Table("Peak memory of an instance, MB", columns, tuple(rows))


# ---------------------------------------------------------------------------------------------------------- starts

HANDLER = b"""
import time
def model_fn(model_dir):
    return None
def transform_fn(model, body, content_type, accept):
    return repr(time.time()), "text/plain"
"""


def starts(here: Place, options: Options) -> Table:
    client = s3_client(here.endpoint)
    client.put_object(Bucket=BUCKET, Key="one/a.csv", Body=b"1,2\n")
    client.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=archive({"code/inference.py": HANDLER}))
    with engine_process(here) as endpoint:
        sagemaker = api_client(endpoint)
        ways: dict[str, tuple[dict[str, str], Callable[[], float]]] = {
            "a model server that runs": ({"Image": f"{here.model}/echo"}, lambda: fetched(f"{here.model}/echo/first")),
            "a handler of inference.py": (
                {"Image": "handler", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"},
                lambda: float(client.get_object(Bucket=BUCKET, Key="one.out/a.csv.out")["Body"].read()),
            ),
        }
        rows = list[tuple[str | float, ...]]()
        for name, (container, first) in ways.items():
            found = [job(sagemaker, container, first) for _ in range(max(options.rounds, 5))]
            begun, whole = (statistics.median(one[place] for one in found) for place in (0, 1))
            rows.append((name, begun, whole, shown(START_GOAL), verdict(begun, START_GOAL, at_most=True)))
    columns = ("model", "first invocation after s", "Completed after s", "goal", "")
    return Table("From CreateTransformJob on a running engine", columns, tuple(rows))


def job(sagemaker: Any, container: dict[str, str], first: Callable[[], float]) -> tuple[float, float]:
    """Run a job and give the seconds to its first invocation and to its end."""
    name = f"job-{time.time_ns()}"
    role = "arn:aws:iam::123456789012:role/benchmark"
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/one/"}}
    began = time.time()
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/one.out/"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    while (told := sagemaker.describe_transform_job(TransformJobName=name))["TransformJobStatus"] == "InProgress":
        time.sleep(0.02)
    ended = time.time()
    assert told["TransformJobStatus"] == "Completed", told
    return first() - began, ended - began


@contextmanager
def engine_process(here: Place) -> Iterator[str]:
    command = [sys.executable, "-m", "airflow_batchtx.engine", "--home", str(here.folder / "home"), "--ends-with-stdin"]
    command += ["--s3-endpoint-url", here.endpoint]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())["engine"]
        process.stdin.close()


def api_client(endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("sagemaker", endpoint_url=endpoint, config=Config(proxies={}), **ACCESS)


def fetched(url: str) -> float:
    with urllib.request.urlopen(url) as answer:
        return float(answer.read())


def archive(files: dict[str, bytes]) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, BytesIO(body))
    return packed.getvalue()
