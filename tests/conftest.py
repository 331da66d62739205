"""What tests share, one for the whole run: an S3 that answers over HTTP, and a model server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from hypothesis import settings

from tests.engines import Desk, Engine, Models, model_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from xdist.scheduler import LoadFileScheduling

# How long an example takes says nothing on a machine that is busy with other tests.
settings.register_profile("batchtx", deadline=None)
settings.load_profile("batchtx")

# Airflow reads its settings when it is imported: give it a home that is nobody's, for as long as the tests run.
AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="airflow-batchtx-tests-")
os.environ["AIRFLOW_HOME"] = AIRFLOW_HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


NIGHTLY = "takes minutes of all cores: run it with -m nightly"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the night, unless it is asked for by its marker."""
    if "nightly" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("nightly"):
                item.add_marker(pytest.mark.skip(reason=NIGHTLY))


# Folders whose files share an Airflow: all of their tests go to one process.
TOGETHER = ("tests/e2e/browser/",)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Deal files to processes as --dist loadfile does, but some folders as if they were one file."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return ByFolder(config, log)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of a moto server in a process of its own; the operating system chose its port."""
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            yield announced_url(server.stderr)
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> S3Client:
    """A boto3 client of that S3, whatever the machine's own AWS settings and proxies are."""
    return s3_client_of(s3_endpoint)


@pytest.fixture
def bucket(s3_client: S3Client) -> str:
    """The name of a new, empty bucket."""
    s3_client.create_bucket(Bucket=(name := f"bucket-{uuid4().hex[:12]}"))
    return name


@pytest.fixture(scope="session")
def models() -> Iterator[Models]:
    with model_server() as models:
        yield models


@pytest.fixture
def desk(engine: Engine, models: Models) -> Desk:
    """A desk with a bucket of its own, at the engine of the folder that the test lies in."""
    bucket = f"bucket-{uuid4().hex[:12]}"
    engine.s3.create_bucket(Bucket=bucket)
    return Desk(engine, models, bucket)


@cache
def aws_session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


def s3_client_of(endpoint: str, **options: Any) -> S3Client:
    return aws_session().client("s3", endpoint_url=endpoint, config=Config(proxies={}, **options))


def announced_url(log: IO[str]) -> str:
    """Read on until the server says where it listens; drain the rest, so that it never blocks on a full pipe."""
    url = next(found[0] for line in log if (found := re.search(r"http://[\d.]+:\d+", line)))
    threading.Thread(target=lambda: [None for _ in log], daemon=True).start()
    return url
