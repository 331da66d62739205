"""How an engine begins and ends: restarts, signals, kills, and what is left of its jobs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_batchtx.engine.registry import Registry
from tests.engines import Desk, Engine, Models, model_server, running_engine
from tests.integration.engine.test_running import HANDLER, archive

LOST = "InternalServerError: We encountered an internal error.  Please try again."

SLOW = HANDLER.replace("greeting =", "import time; time.sleep(60)\n    greeting =")


def children(pid: int) -> set[int]:
    """Give the processes below a process."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").exists():
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            below.setdefault(parent, []).append(int(entry.name))
    found, todo = set(), [pid]
    while todo:
        todo += below.get(todo.pop(), [])
        found |= set(todo)
    return found


def alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def eventually(true: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def began(desk: Desk) -> str:
    """Start a job of two instances that work on one record for a minute, and wait until both are at it."""
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("in/b.csv", b"2\n")
    desk.put_at("model.tar.gz", archive(code__inference=SLOW))
    model = desk.model("image", ModelDataUrl=f"s3://{desk.bucket}/model.tar.gz")
    name = desk.start(model, InstanceCount=2)
    logs = desk.engine.home / "jobs" / "us-east-1" / name / "logs"
    assert eventually(lambda: len(list(logs.glob("*/data-log"))) == 2)
    return name


def own_desk(engine: Engine, models: Models) -> Desk:
    bucket = f"bucket-{uuid4().hex[:12]}"
    engine.s3.create_bucket(Bucket=bucket)
    return Desk(engine, models, bucket)


def described(engine: Engine, name: str) -> dict[str, Any]:
    return dict(engine.sagemaker().describe_transform_job(TransformJobName=name))


def test_an_engine_that_is_killed_leaves_no_process_and_no_job_in_doubt(
    models: Models, tmp_path: Path, engine: Engine
) -> None:
    with running_engine(tmp_path) as killed:
        running, stopping = (began(own_desk(killed, models)) for _ in range(2))
        processes = children(killed.process.pid)
        killed.sagemaker().stop_transform_job(TransformJobName=stopping)
        killed.process.kill()
        # What a thread wrote that its job, long since ended, had left alone.
        (tmp_path / "jobs" / "us-east-1" / "ended" / "work" / "models").mkdir(parents=True)

        assert len(processes) >= 9  # two jobs of two instances with a handler each, and the S3
        assert eventually(lambda: not any(map(alive, processes)))

    with running_engine(tmp_path, "--s3-endpoint-url", engine.storage) as again:
        lost, ended = described(again, running), described(again, stopping)
    assert (lost["TransformJobStatus"], lost["FailureReason"]) == ("Failed", LOST)
    assert lost["TransformEndTime"]
    assert ended["TransformJobStatus"] == "Stopped"
    assert not list(tmp_path.glob("jobs/*/*/work"))


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_an_engine_that_is_told_to_end(models: Models, tmp_path: Path, signal_number: int) -> None:
    with running_engine(tmp_path) as engine:
        name = began(own_desk(engine, models))
        processes = children(engine.process.pid)

        os.kill(engine.process.pid, signal_number)

        assert engine.process.wait(20) == 0
        assert not any(map(alive, processes))
    with closing(Registry(tmp_path / "registry.sqlite", time.time)) as registry:
        job = registry.job("us-east-1", name)
    assert job is not None
    assert (job.status, job.reason) == ("Failed", LOST)


def test_a_stopped_job_leaves_no_process(desk: Desk) -> None:
    before = children(desk.engine.process.pid)
    name = began(desk)
    processes = children(desk.engine.process.pid) - before

    desk.client.stop_transform_job(TransformJobName=name)

    assert desk.ended(name)["TransformJobStatus"] == "Stopped"
    assert len(processes) >= 4
    assert not any(map(alive, processes))


def test_a_stopped_job_keeps_whole_outputs_and_drops_half_ones(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"whole\n")
    desk.put_at("in/b.csv", b"x" * 99 + b"\n" + b"some line\n" * 1_500_000 + b"hold\n")
    desk.models.release.clear()
    name = desk.start(
        desk.model(desk.models.url("pausing")), SplitType="Line", MaxPayloadInMB=1, MaxConcurrentTransforms=2
    )
    uploads = desk.engine.s3.get_paginator("list_multipart_uploads")
    assert eventually(lambda: any("Uploads" in page for page in uploads.paginate(Bucket=desk.bucket)))
    assert eventually(lambda: desk.keys("out/") == ["out/a.csv.out"])

    desk.client.stop_transform_job(TransformJobName=name)

    assert desk.ended(name)["TransformJobStatus"] == "Stopped"
    assert desk.keys("out/") == ["out/a.csv.out"]
    assert not any("Uploads" in page for page in uploads.paginate(Bucket=desk.bucket))


def test_an_instance_that_dies_fails_its_job(desk: Desk) -> None:
    before = children(desk.engine.process.pid)
    name = began(desk)
    processes = children(desk.engine.process.pid) - before

    for pid in processes:
        if "airflow_batchtx.engine.instance" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)

    job = desk.ended(name)
    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", LOST)
    assert eventually(lambda: not any(map(alive, processes)))


def test_jobs_models_and_tags_outlive_the_engine(models: Models, tmp_path: Path, engine: Engine) -> None:
    shared = ("--s3-endpoint-url", engine.storage)
    with running_engine(tmp_path, *shared) as first:
        desk = own_desk(first, models)
        desk.put_at("in/a", b"1")
        job = desk.run(desk.model(models.url("echo")), Tags=[{"Key": "a", "Value": "b"}])
    with running_engine(tmp_path, *shared) as second:
        again = described(second, job["TransformJobName"])
        found_tags = second.sagemaker().list_tags(ResourceArn=job["TransformJobArn"])["Tags"]
        second.sagemaker().describe_model(ModelName=job["ModelName"])

    for answer in (job, again):
        del answer["ResponseMetadata"]
    assert again == job
    assert found_tags == [{"Key": "a", "Value": "b"}]


def failing(*arguments: str) -> str:
    """Start an engine that cannot; give what it says."""
    command = [sys.executable, "-m", "airflow_batchtx.engine", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    return done.stderr


def test_what_keeps_an_engine_from_starting(engine: Engine, tmp_path: Path) -> None:
    port = engine.url.rpartition(":")[2]

    assert "Another engine runs in" in failing("--home", str(engine.home))
    assert f"cannot listen on 127.0.0.1:{port}" in failing("--home", str(tmp_path), "--port", port)
    assert "did not start" in failing("--home", str(tmp_path), "--s3-port", port)


def health(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{url}/_batchtx/health") as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_health_is_that_of_the_s3_too(tmp_path: Path) -> None:
    with model_server() as stand_in:  # it answers, and no more is asked of it
        storage = stand_in.url_base
        with running_engine(tmp_path, "--s3-endpoint-url", storage, "--region", "eu-west-1") as engine:
            status, found = health(engine.url)
            stand_in.close()
            status_without, _ = health(engine.url)

    assert (status, found["status"], found["storage"]) == (200, "ok", storage)
    assert (found["engine"], found["region"]) == (engine.url, "eu-west-1")
    assert status_without == 503
