"""`--docker`: real images in real containers, and nothing of them left, however the engine ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from airflow_batchtx.modelserver.docker import LABEL
from tests.docker_images import NoDocker, daemon, docker, image
from tests.engines import ROLE, Desk, Engine, Models, running_engine
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


# Answers whether another container can be reached.
REACHING = SERVE.replace(
    "self.reply(200, f",
    """
        import socket
        try:
            socket.create_connection((body.decode().strip(), 8080), 2).close()
        except OSError:
            return self.reply(200, b"no way")
        self.reply(200, f""",
)


@pytest.fixture
def outside(host: str) -> Iterator[str]:
    """The address of a container in docker's own network; skips where docker may filter no packets."""
    try:
        filters = subprocess.run(
            ["iptables", "--list-rules", "DOCKER-ISOLATION-STAGE-1"], capture_output=True, check=False
        )
    except OSError as error:
        pytest.skip(f"docker cannot keep networks apart here: {error}")
    if filters.returncode:
        pytest.skip(f"docker keeps no networks apart here: {filters.stderr.decode().strip()}")
    name = docker("run", "--detach", "--env", "GREETING=hi", IMAGE, "serve")
    yield docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
    docker("rm", "--force", name)


def of_image(desk: Desk, name: str, *, isolated: bool) -> str:
    model, container = f"model-{uuid4().hex[:8]}", {"Image": name, "Environment": {"GREETING": "hi"}}
    desk.client.create_model(
        ModelName=model,
        ExecutionRoleArn=ROLE,
        PrimaryContainer=container,  # type: ignore[arg-type]  # a plain dict
        EnableNetworkIsolation=isolated,
    )
    return model


def test_an_isolated_model_has_no_way_out(host: str, dock: Desk, outside: str) -> None:
    image(host, "batchtx-tests/reaching:1", REACHING)
    dock.put_at("in/a.csv", outside.encode())

    def told(*, isolated: bool) -> bytes:
        job = dock.run(of_image(dock, "batchtx-tests/reaching:1", isolated=isolated))
        assert job["TransformJobStatus"] == "Completed"
        return dock.get("out/a.csv.out")

    assert told(isolated=False) == f"hi - true {outside}".encode()
    assert told(isolated=True) == b"no way"
    assert left(dock.engine.home) == []


# Answers who of its network, but for this machine and itself, can be reached.
LOOKING = SERVE.replace(
    "self.reply(200, f",
    """
        import socket
        me = socket.gethostbyname(socket.gethostname())
        found, near = [], me.rpartition(".")[0]
        for last in range(2, 8):
            try:
                socket.create_connection((f"{near}.{last}", 8080), 0.5).close()
                found.append(f"{near}.{last}")
            except OSError:
                pass
        self.reply(200, b"1" if set(found) - {me} else b"0") if body == b"look" else self.reply(200, f""",
)


def test_isolated_containers_do_not_reach_each_other(host: str, dock: Desk, outside: str) -> None:
    image(host, "batchtx-tests/looking:1", LOOKING)
    dock.put_at("busy/w.csv", b"wait")
    dock.put_at("in/a.csv", b"look")
    busy = dock.start(of_image(dock, IMAGE, isolated=True), S3Uri=f"s3://{dock.bucket}/busy/")
    assert eventually(lambda: "MaxConcurrentTransforms" in dock.data_log(busy))

    job = dock.run(of_image(dock, "batchtx-tests/looking:1", isolated=True))
    dock.client.stop_transform_job(TransformJobName=busy)

    assert (job["TransformJobStatus"], dock.get("out/a.csv.out")) == ("Completed", b"0")
    assert dock.ended(busy)["TransformJobStatus"] == "Stopped"


def test_isolated_instances_may_be_the_first_of_an_engine_together(
    host: str, docked: Engine, models: Models, tmp_path: Path
) -> None:
    with running_engine(tmp_path, "--docker", "--s3-endpoint-url", docked.storage) as engine:
        desk = desk_at(Engine(engine.url, docked.storage, tmp_path, engine.process), models)
        for name in "abcd":
            desk.put_at(f"in/{name}.csv", b"1")
        model = of_image(desk, IMAGE, isolated=True)

        together = [desk.start(model, InstanceCount=4, S3OutputPath=f"s3://{desk.bucket}/{n}/") for n in range(2)]
        ends = [desk.ended(name, 60).get("FailureReason", "") for name in together]

        assert ends == ["", ""]
        assert desk.run(model)["TransformJobStatus"] == "Completed"


def test_an_engine_leaves_no_network(host: str, docked: Engine, models: Models, tmp_path: Path) -> None:
    def networks() -> list[str]:
        return docker("network", "ls", "--quiet", "--filter", f"label={LABEL}={tmp_path.resolve()}").split()

    with running_engine(tmp_path, "--docker", "--s3-endpoint-url", docked.storage) as engine:
        desk = desk_at(Engine(engine.url, docked.storage, tmp_path, engine.process), models)
        desk.put_at("in/a.csv", b"1")
        status = desk.run(of_image(desk, IMAGE, isolated=True))["TransformJobStatus"]
        during = networks()

    assert (status, len(during)) == ("Completed", 1)
    assert networks() == []


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
