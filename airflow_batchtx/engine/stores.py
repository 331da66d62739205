"""The S3 that an engine works on, and the AWS services beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from airflow_batchtx import __version__
from airflow_batchtx.storage.s3 import S3Store

# Connections kept open: an instance has up to 108 streams, but most of them wait for the model.
_CONNECTIONS = 128
# botocore puts its own together anew for each request: a tenth of the processor time that a small object takes.
_USER_AGENT = f"airflow-batchtx/{__version__} Boto3/{boto3.__version__}"
# What S3 look-alikes take for a key; AWS itself is never asked with it.
_ANYONE = "testing"
# How long an S3 may take to answer, in seconds, and how often it is asked: one that hangs costs a minute, not five.
S3_SECONDS, _S3_ATTEMPTS = 20.0, 3
# So many times as long it may take to put the parts of an object together: moto needs 15 s/GB on a busy laptop.
_PATIENCE = 15
# Logs, metrics and events are not worth a longer wait, in seconds.
_CONNECT_SECONDS, _READ_SECONDS = 2, 5


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where an S3 is (None: AWS itself), and whether made-up credentials do for it or the environment's are needed.

    `seconds` is how long it may take to answer a request.
    """

    endpoint_url: str | None
    region: str
    made_up: bool
    seconds: float = S3_SECONDS

    def open(self) -> S3Store:
        """Open the store."""
        config = Config(
            max_pool_connections=_CONNECTIONS,
            proxies=self._proxies,
            user_agent=_USER_AGENT,
            connect_timeout=self.seconds,
            read_timeout=self.seconds,
            retries={"mode": "standard", "total_max_attempts": _S3_ATTEMPTS},
        )
        session = self._session(self.region)
        client, patient = (
            session.client("s3", endpoint_url=self.endpoint_url, config=chosen)
            for chosen in (config, config.merge(Config(read_timeout=_PATIENCE * self.seconds)))
        )
        return S3Store(client, patient=patient)

    def client(self, service: str, region: str) -> Any:
        """Make a client of another service of the same endpoint, which is given up soon and tries once."""
        config = Config(
            retries={"total_max_attempts": 1},
            proxies=self._proxies,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
        )
        # mypy knows the clients of the services only whose stubs are installed.
        make: Any = self._session(region).client
        return make(service, endpoint_url=self.endpoint_url, config=config)

    @property
    def _proxies(self) -> dict[str, str] | None:
        # No proxy stands between an engine and an S3 of its own.
        return None if self.endpoint_url is None else {}

    def _session(self, region: str) -> boto3.Session:
        key = _ANYONE if self.made_up else None
        return boto3.Session(region_name=region, aws_access_key_id=key, aws_secret_access_key=key)


def s3_address(endpoint_url: str | None, region: str, seconds: float = S3_SECONDS) -> S3Address:
    """Name an S3; one of the user's own is asked with made-up credentials where the environment holds none.

    That is found out here, once for all instances: the search ends in a look at EC2's metadata, which may take seconds.
    """
    made_up = endpoint_url is not None and boto3.Session(region_name=region).get_credentials() is None
    return S3Address(endpoint_url, region, made_up, seconds)
