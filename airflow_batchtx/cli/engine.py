"""Start the local engine, ask after it, and tell other processes how to reach it."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from airflow_batchtx.cli.extras import require
from airflow_batchtx.errors import LocalEngineError

_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_END = 15.0
_LAST_PORT = 65535
_LOOPBACK = "127.0.0.1"
_EVERY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Health:
    """What a healthy engine says of itself: its URL, those of its S3 and of the services that take logs, metrics and
    events (None: AWS's own), its Region and version.
    """

    engine: str
    storage: str | None
    services: str | None
    region: str
    version: str

    @property
    def port(self) -> int:
        """The engine's port."""
        return urlsplit(self.engine).port or 0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Services that run already: the S3, and what takes logs, metrics and events."""

    s3: str | None
    aws: str | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is to go wrong, as it was written on the command line."""

    faults: str | None
    quotas: tuple[str, ...]
    throttle: str | None


def start(
    *,
    port: int,
    host: str,
    home: Path | None,
    s3_port: int | None,
    endpoints: Endpoints,
    docker: bool,
    trouble: Trouble,
) -> None:
    """Serve in the foreground until Ctrl-C or SIGTERM."""
    require("local")
    for url in filter(None, (endpoints.s3, endpoints.aws)):
        _expect_url(url)
    # The server is what this command is; no other command pays for importing it.
    from airflow_batchtx.engine.conditions import read
    from airflow_batchtx.engine.config import EngineConfig
    from airflow_batchtx.engine.server import Addresses, serve

    console = Console()
    config = EngineConfig(
        home=home or Path.home() / ".batchtx" / f"engine-{port}",
        host=host,
        port=port,
        s3_endpoint_url=endpoints.s3,
        s3_port=_free(host, port + 1) if s3_port is None else s3_port,
        aws_endpoint_url=endpoints.aws,
        docker=docker,
        conditions=read(trouble.faults, trouble.quotas, trouble.throttle),
    )

    def ready(addresses: Addresses) -> None:
        port_given = urlsplit(addresses.engine).port
        console.print(f"[bold green]SageMaker Batch Transform[/] answers at {addresses.engine}")
        console.print(f"Its jobs, for a browser: {addresses.engine}/jobs")
        console.print(f"S3 answers at {addresses.storage or 'AWS'}; jobs and logs are kept in {config.home}")
        console.print(f'In another shell:  eval "$(batchtx local env --port {port_given})"', markup=False)
        console.print("Ctrl-C ends it.")

    serve(config, ready)
    console.print("The engine has ended.")


@contextmanager
def running(home: Path, *, port: int = 0, log: Path | None = None) -> Iterator[Health]:
    """Run an engine and its S3 as a process that ends with the block, or with this process.

    They are at `port` and the one after it, or at free ones where those are taken. What they complain of is written to
    `log`, or shown.
    """
    command = [sys.executable, "-m", "airflow_batchtx.engine", "--home", str(home), "--ends-with-stdin"]
    if port:
        command += [f"--port={_free(_LOOPBACK, port)}", f"--s3-port={_free(_LOOPBACK, port + 1)}"]
    with nullcontext() if log is None else log.open("ab") as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, start_new_session=True
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not (told := process.stdout.readline()):
            why = log.read_text(errors="replace").splitlines()[-1:] if log else []
            raise LocalEngineError(" ".join(("The local engine ended before it answered.", *why)))
        address = urlsplit(json.loads(told)["engine"])
        yield health(address.hostname or _LOOPBACK, address.port or 0)
    finally:
        process.stdin.close()
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def health(host: str, port: int) -> Health:
    """Ask an engine after itself and its S3; LocalEngineError while one of the two does not answer."""
    try:
        status, said = _asked(host, port)
    except (OSError, http.client.HTTPException, ValueError) as error:
        remedy = f"Start it with: batchtx local start --port {port}"
        raise LocalEngineError(f"No engine answers at {host}:{port} ({error}). {remedy}") from error
    if status != http.client.OK:
        raise LocalEngineError(f"The engine at {host}:{port} is not ready: {said.get('status', said)}.")
    return Health(
        engine=f"http://{host}:{port}",
        storage=_reachable(said["storage"], host),
        services=_reachable(said["services"], host),
        region=said["region"],
        version=said["version"],
    )


def environment(found: Health) -> dict[str, str]:
    """Give the variables that boto3 and Airflow need to find an engine; the credentials are dummies.

    No proxy comes between. An engine over AWS's own S3 leaves S3's endpoint and the credentials as they are.
    """
    hosts = dict.fromkeys(urlsplit(url).hostname or "" for url in (found.engine, found.storage, found.services) if url)
    direct = {name: ",".join(filter(None, (os.environ.get(name), *hosts))) for name in ("NO_PROXY", "no_proxy")}
    own = {
        "AWS_ENDPOINT_URL_SAGEMAKER": found.engine,
        "AWS_DEFAULT_REGION": found.region,
        "AWS_REGION": found.region,
        **direct,
    }
    if found.storage is None:
        return own
    dummies = {"AWS_ACCESS_KEY_ID": "batchtx", "AWS_SECRET_ACCESS_KEY": "batchtx"}
    apart = {"AWS_ENDPOINT_URL_S3": found.storage} if found.services != found.storage else {}
    return {"AWS_ENDPOINT_URL": found.services or found.storage, **apart, **own, **dummies}


def exports(variables: Mapping[str, str]) -> str:
    """Write variables as a shell's export lines."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def clients(variables: Mapping[str, str]) -> tuple[Any, Any]:
    """Make boto3's clients of S3 and SageMaker for an engine, whatever this process's own environment says."""
    return client("s3", variables), client("sagemaker", variables)


def client(service: str, variables: Mapping[str, str]) -> Any:
    """Make boto3's client of an engine's service, or of one beside it, by that one's name."""
    from boto3.session import Session
    from botocore.config import Config

    # Its stubs know each service by its name in the code alone.
    session: Any = Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_DEFAULT_REGION"],
    )
    endpoint = variables.get(f"AWS_ENDPOINT_URL_{service.upper()}", variables["AWS_ENDPOINT_URL"])
    return session.client(service, endpoint_url=endpoint, config=Config(proxies={}))


def show(found: Health) -> None:
    """Print where an engine and its S3 are."""
    console = Console()
    console.print(f"[bold green]The engine answers[/] at {found.engine} (version {found.version}, {found.region})")
    console.print(f"Its S3 answers at {found.storage or 'AWS'}")


def _asked(host: str, port: int) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS_TO_ANSWER)
    try:
        connection.request("GET", "/_batchtx/health")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _reachable(storage: str | None, host: str) -> str | None:
    """An S3 that listens on every address is reached at the one that its engine was."""
    if storage is None or (address := urlsplit(storage)).hostname not in _EVERY_ADDRESS:
        return storage
    return f"{address.scheme}://{host}:{address.port}"


def _expect_url(text: str) -> None:
    address = urlsplit(text)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise LocalEngineError(f"{text!r} is no URL of a server: give it as http://host:port.")


def _free(host: str, port: int) -> int:
    """The port, or 0 (which takes any free one) where somebody has it already, or there is none of that number."""
    if port > _LAST_PORT:
        return 0
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
    return port
