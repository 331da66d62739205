"""How an engine is set up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_batchtx.engine.conditions import NORMAL, Conditions
from airflow_batchtx.engine.stores import S3_SECONDS

# The account that every ARN of the engine names; moto's default too.
ACCOUNT = "123456789012"


def url(host: str, port: int) -> str:
    """Write the address at which a server on this machine, bound to `host`, is reached from it."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Where an engine listens, where it keeps its registry and job folders, and which S3 it reads and writes.

    `port` 0 takes a free one. Without `s3_endpoint_url` the engine starts moto's server beside itself, on `s3_port`.
    `region` is for requests that name none, and for S3. `ping_seconds` is how long a model server may take to
    answer its first ping, `s3_seconds` how long the S3 may take to answer each of three tries. `aws_endpoint_url` takes
    logs, metrics and events; it is the S3's unless given. With `docker` an Image that is no URL is run as it is, by the
    docker command. `conditions` are what goes wrong.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 0
    s3_endpoint_url: str | None = None
    s3_port: int = 0
    aws_endpoint_url: str | None = None
    region: str = "us-east-1"
    ping_seconds: float = 120.0
    s3_seconds: float = S3_SECONDS
    docker: bool = False
    conditions: Conditions = NORMAL
    ends_with_stdin: bool = False
