"""The S3 that an engine works on."""

from __future__ import annotations

from dataclasses import dataclass

import boto3
from botocore.config import Config

from airflow_batchtx.storage.s3 import S3Store

# Connections kept open: an instance has up to 108 streams, but most of them wait for the model.
_CONNECTIONS = 128
# What S3 look-alikes take for a key; AWS itself is never asked with it.
_ANYONE = "testing"


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where an S3 is (None: AWS itself), and whether made-up credentials do for it or the environment's are needed."""

    endpoint_url: str | None
    region: str
    made_up: bool

    def open(self) -> S3Store:
        """Open the store."""
        key = _ANYONE if self.made_up else None
        session = boto3.Session(region_name=self.region, aws_access_key_id=key, aws_secret_access_key=key)
        # No proxy stands between an engine and an S3 of its own.
        proxies: dict[str, str] | None = None if self.endpoint_url is None else {}
        config = Config(max_pool_connections=_CONNECTIONS, proxies=proxies)
        return S3Store(session.client("s3", endpoint_url=self.endpoint_url, config=config))


def s3_address(endpoint_url: str | None, region: str) -> S3Address:
    """Name an S3; one of the user's own is asked with made-up credentials where the environment holds none.

    That is found out here, once for all instances: the search ends in a look at EC2's metadata, which may take seconds.
    """
    made_up = endpoint_url is not None and boto3.Session(region_name=region).get_credentials() is None
    return S3Address(endpoint_url, region, made_up)
