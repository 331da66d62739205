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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import Desk, Models, running_engine
from tests.integration.engine.test_running import HANDLER, archive

BUCKET = "bucket"
LOST = "InternalServerError: We encountered an internal error.  Please try again."


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


def desk_of(engine: Any, models: Models) -> Desk:
    engine.s3.create_bucket(Bucket=BUCKET)
    desk = Desk(engine, models, BUCKET)
    desk.put_at("in/a.csv", b"1\n")
    return desk


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def busy(models: Models, home: Path) -> Iterator[tuple[Desk, str, set[int]]]:
    """An engine with a job in mid-invocation, and all processes below it: two instances, their handlers, an S3."""
    with running_engine(home) as engine:
        desk = desk_of(engine, models)
        desk.put_at("in/b.csv", b"2\n")
        desk.put_at(
            "model.tar.gz",
            archive(code__inference=HANDLER.replace("greeting =", "import time; time.sleep(60)\n    greeting =")),
        )
        model = desk.model("image", ModelDataUrl=f"s3://{BUCKET}/model.tar.gz")
        name = desk.start(model, InstanceCount=2)
        work = home / "jobs" / "us-east-1" / name
        assert eventually(lambda: len(list(work.glob("logs/*/data-log"))) == 2)
        yield desk, name, children(engine.process.pid)


def told(home: Path, models: Models, name: str) -> dict[str, Any]:
    with running_engine(home) as engine:
        return dict(engine.sagemaker().describe_transform_job(TransformJobName=name))


def test_an_engine_that_is_killed_leaves_no_process_and_no_job_in_doubt(
    busy: tuple[Desk, str, set[int]], models: Models, home: Path
) -> None:
    desk, name, processes = busy
    assert len(processes) >= 5

    desk.engine.process.kill()

    assert eventually(lambda: not any(map(alive, processes)))
    job = told(home, models, name)
    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", LOST)
    assert job["TransformEndTime"]
    assert not (home / "jobs" / "us-east-1" / name / "work").exists()


def test_an_engine_that_is_killed_while_a_job_stops(
    busy: tuple[Desk, str, set[int]], models: Models, home: Path
) -> None:
    desk, name, processes = busy

    desk.client.stop_transform_job(TransformJobName=name)
    desk.engine.process.kill()

    assert eventually(lambda: not any(map(alive, processes)))
    assert told(home, models, name)["TransformJobStatus"] == "Stopped"


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_an_engine_that_is_told_to_end(
    busy: tuple[Desk, str, set[int]], models: Models, home: Path, signal_number: int
) -> None:
    desk, name, processes = busy

    os.kill(desk.engine.process.pid, signal_number)

    assert desk.engine.process.wait(20) == 0
    assert not any(map(alive, processes))
    assert told(home, models, name)["FailureReason"] == LOST


def test_a_stopped_job_leaves_no_process(busy: tuple[Desk, str, set[int]]) -> None:
    desk, name, processes = busy

    desk.client.stop_transform_job(TransformJobName=name)

    assert desk.ended(name)["TransformJobStatus"] == "Stopped"
    assert len([pid for pid in processes if alive(pid)]) == 1  # the S3


def test_an_instance_that_dies_fails_its_job(busy: tuple[Desk, str, set[int]]) -> None:
    desk, name, processes = busy
    instances = [
        pid for pid in processes if "airflow_batchtx.engine.instance" in Path(f"/proc/{pid}/cmdline").read_text()
    ]

    os.kill(instances[0], signal.SIGKILL)
    os.kill(instances[1], signal.SIGKILL)

    job = desk.ended(name)
    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", LOST)
    assert eventually(lambda: len([pid for pid in processes if alive(pid)]) == 1)


def test_jobs_models_and_tags_outlive_the_engine(models: Models, home: Path) -> None:
    with running_engine(home) as engine:
        desk = desk_of(engine, models)
        job = desk.run(desk.model(models.url("echo")), Tags=[{"Key": "a", "Value": "b"}])
    with running_engine(home) as engine:
        client = engine.sagemaker()
        again = client.describe_transform_job(TransformJobName=job["TransformJobName"])
        found_tags = client.list_tags(ResourceArn=job["TransformJobArn"])["Tags"]
        client.describe_model(ModelName=job["ModelName"])

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


def test_what_keeps_an_engine_from_starting(home: Path, tmp_path: Path) -> None:
    with running_engine(home) as engine:
        port = engine.url.rpartition(":")[2]

        assert "Another engine runs in" in failing("--home", str(home))
        assert f"cannot listen on 127.0.0.1:{port}" in failing("--home", str(tmp_path / "b"), "--port", port)
        assert "did not start" in failing("--home", str(tmp_path / "c"), "--s3-port", port)


def health(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{url}/_batchtx/health") as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_health_is_that_of_the_s3_too(home: Path, tmp_path: Path) -> None:
    with (
        running_engine(home) as neighbour,
        running_engine(tmp_path / "other", "--s3-endpoint-url", neighbour.storage, "--region", "eu-west-1") as engine,
    ):
        status, found = health(engine.url)
        assert (status, found["status"], found["storage"]) == (200, "ok", neighbour.storage)
        assert (found["engine"], found["region"]) == (engine.url, "eu-west-1")

        neighbour.end()

        assert health(engine.url)[0] == 503
