"""An engine in a process of its own, and a model server whose answers a test chooses by the path of its URL."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

FINAL = ("Completed", "Failed", "Stopped")
ROLE = "arn:aws:iam::123456789012:role/batchtx"


@dataclass(frozen=True)
class Engine:
    """A running engine, with clients for it and for its S3."""

    url: str
    storage: str
    home: Path
    process: subprocess.Popen[bytes]

    def sagemaker(self, region: str = "us-east-1") -> SageMakerClient:
        return client_of("sagemaker", self.url, region)

    @property
    def s3(self) -> S3Client:
        return client_of("s3", self.storage)

    def calls(self) -> dict[str, dict[str, int]]:
        """Count the calls of each operation so far, by Region."""
        with urllib.request.urlopen(f"{self.url}/calls") as answer:
            found: dict[str, dict[str, int]] = json.load(answer)
        return found

    def end(self) -> None:
        """Let the engine end by itself; its standard input is all that it lives by."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


@contextmanager
def running_engine(home: Path, *arguments: str) -> Iterator[Engine]:
    """Start an engine with an S3 of its own, unless the arguments name one."""
    command = [sys.executable, "-m", "airflow_batchtx.engine", "--home", str(home), "--ends-with-stdin", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        told = json.loads(process.stdout.readline() or "{}")
        engine = Engine(told.get("engine", ""), told.get("storage", ""), home, process)
        try:
            yield engine
        finally:
            engine.end()


@functools.cache
def client_of(service: str, endpoint: str, region: str = "us-east-1") -> Any:
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=region)
    return session.client(service, endpoint_url=endpoint, config=Config(proxies={}, retries={"total_max_attempts": 1}))


# ------------------------------------------------------------------------------------------------ model servers


@dataclass(frozen=True)
class Invocation:
    """What a model server was sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Reply = tuple[int, bytes]


def echo(body: bytes) -> Reply:
    return 200, body


def numbered(body: bytes) -> Reply:
    """Answer every line with its length."""
    return 200, b"".join(b"%d\n" % len(line) for line in body.splitlines())


def short(body: bytes) -> Reply:
    """Answer with one line fewer than was sent."""
    return 200, b"".join(body.splitlines(keepends=True)[1:])


def broken(_: bytes) -> Reply:
    return 500, b"Traceback\nZeroDivisionError"


def refusing(body: bytes) -> Reply:
    """Refuse what mentions `bad`, echo the rest."""
    return (400, b"cannot read\nthis") if b"bad" in body else (200, body)


BEHAVIOURS: Mapping[str, Callable[[bytes], Reply]] = {
    "echo": echo,
    "numbered": numbered,
    "short": short,
    "broken": broken,
    "refusing": refusing,
}


@dataclass
class Models:
    """A server of many models: `url("echo")` is an Image. `held` models answer once `release` is set.

    A `pausing` one does so for what mentions `hold` only.
    """

    url_base: str = ""
    invocations: list[Invocation] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    scripts: dict[str, Callable[[Invocation], Reply]] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None

    def url(self, behaviour: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Name a new model; `parameters` are its /execution-parameters."""
        path = f"/{behaviour}/{uuid4().hex[:8]}"
        if parameters is not None:
            self.parameters[path] = dict(parameters)
        return self.url_base + path

    def scripted(self, script: Callable[[Invocation], Reply]) -> str:
        """Name a new model that answers as a function of the test says."""
        url = self.url("scripted")
        self.scripts[url.removeprefix(self.url_base)] = script
        return url

    def sent_to(self, url: str) -> list[Invocation]:
        return [one for one in self.invocations if url.endswith(one.path)]


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    models: Models

    def do_GET(self) -> None:
        path, _, name = self.path.rpartition("/")
        if name == "ping":
            self.reply(404 if path.startswith("/dead/") else 200, b"")
        elif path in self.models.parameters:
            self.reply(200, json.dumps(self.models.parameters[path]).encode())
        else:
            self.reply(404, b"")

    def do_POST(self) -> None:
        body = self.body()
        path = self.path.rpartition("/")[0]
        behaviour = path.split("/")[1]
        self.models.invocations.append(invocation := Invocation(path, dict(self.headers), body))
        self.models.entered.set()
        if behaviour == "held" or (behaviour == "pausing" and b"hold" in body):
            self.models.release.wait(30)
        if path in self.models.scripts:
            self.reply(*self.models.scripts[path](invocation))
        else:
            self.reply(*BEHAVIOURS.get(behaviour, echo)(body))

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def model_server() -> Iterator[Models]:
    models = Models()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"models": models}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close() -> None:
        models.release.set()
        server.shutdown()
        server.server_close()

    models.url_base = f"http://127.0.0.1:{server.server_port}"
    models.close = close
    yield models
    close()


# -------------------------------------------------------------------------------------------------------- jobs


@dataclass(frozen=True)
class Desk:
    """Creates models and jobs on an engine, with short words for the usual."""

    engine: Engine
    models: Models
    bucket: str

    @property
    def client(self) -> SageMakerClient:
        return self.engine.sagemaker()

    def put(self, **objects: bytes | str) -> None:
        for key, body in objects.items():
            self.put_at(key, body)

    def put_at(self, key: str, body: bytes | str) -> None:
        self.engine.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return self.engine.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        found = self.engine.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]

    def model(self, image: str, **container: Any) -> str:
        name = f"model-{uuid4().hex[:8]}"
        self.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": image, **container})
        return name

    def request(self, model: str, **members: Any) -> dict[str, Any]:
        """Make a CreateTransformJob request over `in/` of the bucket; members override, by their own or inner name."""
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/in/"}
        request: dict[str, Any] = {
            "TransformJobName": f"job-{uuid4().hex[:8]}",
            "ModelName": model,
            "TransformInput": {"DataSource": {"S3DataSource": source}},
            "TransformOutput": {"S3OutputPath": f"s3://{self.bucket}/out/"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        homes = {
            "S3Uri": source,
            "S3DataType": source,
            **dict.fromkeys(("ContentType", "SplitType", "CompressionType"), request["TransformInput"]),
            **dict.fromkeys(("Accept", "AssembleWith", "S3OutputPath", "KmsKeyId"), request["TransformOutput"]),
            **dict.fromkeys(("InstanceType", "InstanceCount", "VolumeKmsKeyId"), request["TransformResources"]),
        }
        for name, value in members.items():
            homes.get(name, request)[name] = value
        return request

    def start(self, model: str, **members: Any) -> str:
        request = self.request(model, **members)
        self.client.create_transform_job(**request)
        return str(request["TransformJobName"])

    def ended(self, name: str, seconds: float = 30) -> dict[str, Any]:
        """Describe a job once it has ended."""
        deadline = time.monotonic() + seconds
        while (found := self.client.describe_transform_job(TransformJobName=name))["TransformJobStatus"] not in FINAL:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return dict(found)

    def run(self, model: str, **members: Any) -> dict[str, Any]:
        return self.ended(self.start(model, **members))

    def data_log(self, name: str) -> str:
        folder = self.engine.home / "jobs" / "us-east-1" / name / "logs"
        return "".join(path.read_text() for path in sorted(folder.glob("*/data-log")))
