"""`--docker`: real images in real containers, and nothing of them left, however the engine ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batchtx.modelserver.docker import LABEL
from tests.docker_images import NoDocker, daemon, docker, image
from tests.engines import Desk, Engine, Models, running_engine
from tests.integration.engine.test_containers import container_logs, desk_at, logs, packed, pipeline
from tests.integration.engine.test_life import eventually, failing
from tests.integration.engine.test_running import CSV

IMAGE = "batchtx-tests/model:1"

# What any image may bring: no package of ours is in it.
SERVE = """
import http.server, json, os, pathlib, sys

class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        weight = pathlib.Path("/opt/ml/model/weight")
        told = weight.read_text() if weight.exists() else "-"
        if b"wait" in body:
            import time
            time.sleep(60)
        self.reply(200, f"{os.environ['GREETING']} {told} {os.environ['SAGEMAKER_BATCH']} ".encode() + body)

    def log_message(self, *_):
        pass

print("this is", sys.argv[0], flush=True)
http.server.ThreadingHTTPServer(("", 8080), Answers).serve_forever()
"""


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """Give a daemon that has the image."""
    try:
        with daemon() as address, pytest.MonkeyPatch.context() as patch:
            image(address, IMAGE, SERVE)
            patch.setenv("DOCKER_HOST", address)
            yield address
    except NoDocker as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def docked(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("docked"), "--docker") as engine:
        yield engine


@pytest.fixture
def dock(docked: Engine, models: Models) -> Desk:
    return desk_at(docked, models)


def left(home: Path) -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={home.resolve()}").split()


def test_an_image_serves_with_its_model_and_environment(dock: Desk) -> None:
    dock.put_at("in/a.csv", b"1")
    dock.put_at("in/b.csv", b"2")
    dock.put_at("model.tar.gz", packed({"weight": "42"}))
    model = dock.model(IMAGE, ModelDataUrl=f"s3://{dock.bucket}/model.tar.gz", Environment={"GREETING": "hi, a=b"})

    job = dock.run(model, **CSV, InstanceCount=2)

    assert job["TransformJobStatus"] == "Completed"
    assert [dock.get(f"out/{name}.csv.out") for name in "ab"] == [b"hi, a=b 42 true 1\n", b"hi, a=b 42 true 2\n"]
    assert [log.strip() for log in container_logs(dock, job["TransformJobName"])] == [
        "this is /usr/local/bin/serve"
    ] * 2
    assert left(dock.engine.home) == []


def test_a_pipeline_of_images_and_servers(dock: Desk) -> None:
    dock.put_at("in/a.csv", b"1")
    first, third = ({"Image": IMAGE, "Environment": {"GREETING": name}} for name in ("one", "three"))

    job = dock.run(pipeline(dock, first, {"Image": dock.models.url("echo")}, third), **CSV)

    assert dock.get("out/a.csv.out") == b"three - true one - true 1\n"
    assert {"/container-1.log", "/container-3.log"} <= logs(dock, job["TransformJobName"]).keys()
    assert left(dock.engine.home) == []


def test_an_image_that_does_not_serve(dock: Desk) -> None:
    dock.put_at("in/a.csv", b"1")

    job = dock.run(dock.model(IMAGE), **CSV)  # no GREETING: each invocation dies of that
    base = dock.run(dock.model("batchtx-tests/base"), **CSV)  # it has no serve

    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert base["TransformJobStatus"] == "Failed"
    assert "serve" in base["FailureReason"] + dock.data_log(base["TransformJobName"])
    assert left(dock.engine.home) == []


def started(desk: Desk) -> str:
    """Start a job whose container is asked, and does not answer for a minute."""
    desk.put_at("in/a.csv", b"wait")
    name = desk.start(desk.model(IMAGE, Environment={"GREETING": "hi"}), **CSV)
    assert eventually(lambda: "MaxConcurrentTransforms" in desk.data_log(name))
    assert len(left(desk.engine.home)) == 1
    return name


def test_a_stopped_job_leaves_no_container(dock: Desk) -> None:
    name = started(dock)

    dock.client.stop_transform_job(TransformJobName=name)

    assert dock.ended(name)["TransformJobStatus"] == "Stopped"
    assert eventually(lambda: left(dock.engine.home) == [])


def test_a_killed_engine_leaves_no_container(host: str, models: Models, tmp_path: Path) -> None:
    with running_engine(tmp_path, "--docker") as engine:
        started(desk_at(engine, models))

        engine.process.send_signal(signal.SIGKILL)

        assert eventually(lambda: left(tmp_path) == [])


def test_an_engine_sweeps_what_an_earlier_one_of_its_home_left(host: str, docked: Engine, tmp_path: Path) -> None:
    for home in (tmp_path, tmp_path / "other"):
        docker("run", "--detach", "--label", f"{LABEL}={home.resolve()}", IMAGE, "serve")

    with running_engine(tmp_path, "--docker", "--s3-endpoint-url", docked.storage):
        found = left(tmp_path), len(left(tmp_path / "other"))

    docker("rm", "--force", *left(tmp_path / "other"))
    assert found == ([], 1)


def test_without_a_daemon_the_engine_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")

    said = failing("--home", str(tmp_path), "--docker")

    assert "Docker cannot run images here" in said or "The docker command cannot be run" in said
