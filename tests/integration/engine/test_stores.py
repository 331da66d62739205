"""How an engine asks its S3, seen from a server that keeps the requests."""

from __future__ import annotations

import re
import time

import pytest

from airflow_batchtx import __version__
from airflow_batchtx.engine.stores import s3_address
from airflow_batchtx.errors import StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.upload import PART
from tests.integration.modelserver.servers import Caller, answering, ok, scripted

SECONDS = 0.5
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
ENDED = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"


def taking_parts(caller: Caller) -> None:
    """Take an object in parts, which is nearly as quick as nothing, and take long to put them together."""
    while request := caller.request():
        line = request.split(b"\r\n", 1)[0]
        if b"?uploads " in line:
            caller.send(ok(BEGUN))
        elif line.startswith(b"PUT"):
            caller.send(ok(headers=b'ETag: "e"\r\n'))
        else:
            time.sleep(3 * SECONDS)
            caller.send(ok(ENDED))


def test_requests_to_s3_name_this_package_and_what_it_asks_with() -> None:
    with scripted(answering(ok(b"x", b'ETag: "e"\r\n'))) as server:
        assert s3_address(server.url, "eu-west-1").open().get(S3Uri("b", "k")) == b"x"

        (request,) = server.requests
    agent = next(line for line in request.decode().split("\r\n") if line.startswith("User-Agent: "))
    assert re.fullmatch(rf"User-Agent: airflow-batchtx/{re.escape(__version__)} Boto3/\S+ Botocore/\S+", agent)


def test_an_s3_may_take_long_to_put_the_parts_of_an_object_together() -> None:
    with scripted(taking_parts) as server:
        store = s3_address(server.url, "eu-west-1", SECONDS).open()
        with store.writer(S3Uri("b", "k")) as target:
            target.write(bytes(PART + 1))

        assert [request.split(b" ", 1)[0] for request in server.requests] == [b"POST", b"PUT", b"PUT", b"POST"]


def test_an_s3_may_not_take_long_for_anything_else() -> None:
    with scripted(Caller.hang) as server:
        store = s3_address(server.url, "eu-west-1", SECONDS).open()
        with pytest.raises(StorageError, match="Read timeout"):
            store.get(S3Uri("b", "k"))

        assert server.connections == 3
