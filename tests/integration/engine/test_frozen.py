"""An S3 that takes connections and does not answer: what it costs a job, and what works meanwhile."""

from __future__ import annotations

import io
import os
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.engines import Desk, Engine, running_engine
from tests.integration.engine.test_faults import faults
from tests.integration.engine.test_life import LOST, alive, children, eventually
from tests.relays import Relay, relay


@contextmanager
def behind_a_relay(desk: Desk, home: Path, seconds: float) -> Iterator[tuple[Desk, Relay]]:
    """Give the desk of an engine whose S3 may be frozen, and is given up after so many seconds.

    The test itself looks at the S3 directly; logs and events go there, too.
    """
    storage = desk.engine.storage
    with relay(storage) as between:
        options = ("--s3-endpoint-url", between.url, "--aws-endpoint-url", storage, "--s3-seconds", str(seconds))
        with running_engine(home, *options) as running:
            yield Desk(Engine(running.url, storage, home, running.process), desk.models, desk.bucket), between


@pytest.fixture
def held(desk: Desk) -> str:
    """The image of a model that answers nothing until it is released; there is one object for it."""
    desk.put_at("in/a.csv", b"hold\n")
    desk.models.release.clear()
    desk.models.entered.clear()
    return desk.models.url("held")


def asked(desk: Desk, image: str) -> str:
    """Start a job and wait until its model is asked."""
    name = desk.start(desk.model(image))
    assert desk.models.entered.wait(20)
    return name


def test_objects_fail_that_an_s3_does_not_take(desk: Desk, held: str, tmp_path: Path) -> None:
    with behind_a_relay(desk, tmp_path, 0.5) as (here, s3):
        name = asked(here, held)
        s3.freeze()
        desk.models.release.set()
        job, log = here.ended(name), here.data_log(name)

    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", LOST)
    assert f"{desk.bucket}/in/a.csv: s3://{desk.bucket}/out/a.csv.out: Read timeout on endpoint URL" in log


def test_a_job_fails_whose_input_an_s3_does_not_list(desk: Desk, held: str, tmp_path: Path) -> None:
    with behind_a_relay(desk, tmp_path, 0.5) as (here, s3):
        name = here.start(here.model(held), **faults(provisioning_seconds=1))
        s3.freeze()
        job, log = here.ended(name), here.data_log(name)

    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", LOST)
    assert f"s3://{desk.bucket}/in/: Read timeout on endpoint URL" in log


def test_a_job_is_stopped_whatever_it_waits_for(desk: Desk, held: str, tmp_path: Path) -> None:
    with behind_a_relay(desk, tmp_path, 600) as (here, s3):
        writing = asked(here, held)
        listing = here.start(here.model(held), **faults(provisioning_seconds=1))
        s3.freeze()
        desk.models.release.set()
        time.sleep(2)  # for the one to begin with its listing, the other with its output
        found = here.client.describe_transform_job(TransformJobName=listing)
        for name in (listing, writing):
            here.client.stop_transform_job(TransformJobName=name)

        assert "TransformStartTime" not in found
        assert here.ended(listing)["TransformJobStatus"] == "Stopped"
        assert here.ended(writing)["TransformJobStatus"] == "Stopped"
        assert eventually(lambda: not any(map(alive, children(here.engine.process.pid))))
        assert desk.keys("out/") == []


def test_a_job_that_is_stopped_while_its_model_is_unpacked_leaves_nothing(
    desk: Desk, held: str, tmp_path: Path
) -> None:
    with behind_a_relay(desk, tmp_path, 600) as (here, s3):
        here.put_at("model.tar.gz", packed(20, 3_000_000))
        name = here.start(here.model("image", ModelDataUrl=f"s3://{desk.bucket}/model.tar.gz"))
        work = tmp_path / "jobs" / "us-east-1" / name / "work"
        assert eventually(lambda: any(work.rglob("part-1")))
        s3.freeze()
        here.client.stop_transform_job(TransformJobName=name)
        ended = here.ended(name)
        s3.thaw()
        time.sleep(3)  # enough for the rest of the archive

        assert ended["TransformJobStatus"] == "Stopped"
        assert not work.exists()


def packed(files: int, size: int) -> bytes:
    """Give a tar.gz of files that do not shrink."""
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w:gz", compresslevel=1) as tar:
        for number in range(files):
            info = tarfile.TarInfo(f"part-{number}")
            info.size = size
            tar.addfile(info, io.BytesIO(os.urandom(size)))
    return found.getvalue()


def test_pages_say_what_they_can(desk: Desk, held: str, tmp_path: Path) -> None:
    with behind_a_relay(desk, tmp_path, 600) as (here, s3):
        name = asked(here, held)
        s3.freeze()
        with urllib.request.urlopen(f"{here.engine.url}/jobs/us-east-1/{name}") as answer:
            page = answer.read().decode()
        here.client.stop_transform_job(TransformJobName=name)
        here.ended(name)

    assert "1 object</span>" in page
    assert "Not known" in page


def test_calls_that_ask_no_s3_are_answered_while_many_wait_for_it(desk: Desk, held: str, tmp_path: Path) -> None:
    with behind_a_relay(desk, tmp_path, 600) as (here, s3), ThreadPoolExecutor(60) as pool:
        name = asked(here, held)
        many = Config(retries={"total_max_attempts": 1}, max_pool_connections=60, proxies={})
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        client = session.client("sagemaker", endpoint_url=here.engine.url, config=many)
        model = here.model(held)
        s3.freeze()
        creates = [pool.submit(refused_or_not, client, here.request(model)) for _ in range(50)]
        assert eventually(lambda: here.engine.calls()["us-east-1"].get("CreateTransformJob", 0) >= 40)

        found = here.client.describe_transform_job(TransformJobName=name)
        here.client.stop_transform_job(TransformJobName=name)
        ended = here.ended(name)
        waiting = wait(creates, timeout=0).not_done
        s3.thaw()
        wait(creates)

    assert (found["TransformJobStatus"], ended["TransformJobStatus"]) == ("InProgress", "Stopped")
    assert len(waiting) == 50


def refused_or_not(client: Any, request: dict[str, Any]) -> None:
    with suppress(ClientError, BotoCoreError):
        client.create_transform_job(**request)
