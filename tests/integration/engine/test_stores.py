"""How an engine asks its S3, seen from a server that keeps the requests."""

from __future__ import annotations

import re

from airflow_batchtx import __version__
from airflow_batchtx.engine.stores import s3_address
from airflow_batchtx.spec.uri import S3Uri
from tests.integration.modelserver.servers import answering, ok, scripted


def test_requests_to_s3_name_this_package_and_what_it_asks_with() -> None:
    with scripted(answering(ok(b"x", b'ETag: "e"\r\n'))) as server:
        assert s3_address(server.url, "eu-west-1").open().get(S3Uri("b", "k")) == b"x"

        (request,) = server.requests
    agent = next(line for line in request.decode().split("\r\n") if line.startswith("User-Agent: "))
    assert re.fullmatch(rf"User-Agent: airflow-batchtx/{re.escape(__version__)} Boto3/\S+ Botocore/\S+", agent)
