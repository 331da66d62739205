"""`batchtx local`: what a person types, and AWS's own sample program against it."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest

BATCHTX = [sys.executable, "-m", "airflow_batchtx.cli.main"]
SAMPLE = Path(__file__).parent / "aws_sample.py"
INFERENCE = b"""
def model_fn(model_dir):
    return None

def predict_fn(rows, model):
    return rows.sum(axis=1)
"""
ROLE = "arn:aws:iam::123456789012:role/test"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def local(command: str, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BATCHTX, "local", command, "--port", str(port)], capture_output=True, text=True, check=False
    )


def variables(port: int) -> dict[str, str]:
    """Do what `eval "$(batchtx local env)"` does, in a real shell."""
    command = f'eval "$({" ".join(BATCHTX)} local env --port {port})" && env'
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    shell = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, env=clean)
    return dict(line.split("=", 1) for line in shell.stdout.splitlines() if "=" in line)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    assert local("env", port).returncode == 1
    process = subprocess.Popen(
        [*BATCHTX, "local", "start", "--port", str(port), "--home", str(tmp_path_factory.mktemp("engine"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while (asked := local("env", port)).returncode and time.monotonic() < deadline:
        assert asked.returncode == 1
        assert asked.stdout == ""
        assert "batchtx local start" in asked.stderr
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


def test_the_sample_program_of_aws_runs_unchanged(engine: tuple[subprocess.Popen[str], int]) -> None:
    environment = variables(engine[1])
    session = boto3.session.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    s3 = session.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
    s3.create_bucket(Bucket="sample")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(INFERENCE)
        tar.addfile(member, io.BytesIO(INFERENCE))
    s3.put_object(Bucket="sample", Key="model.tar.gz", Body=archive.getvalue())
    s3.put_object(Bucket="sample", Key="input/rows.csv", Body=b"1,2\n3,4\n")
    session.client("sagemaker", endpoint_url=environment["AWS_ENDPOINT_URL_SAGEMAKER"]).create_model(
        ModelName="sums",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": "sums", "ModelDataUrl": "s3://sample/model.tar.gz"},
    )

    ran = subprocess.run(
        [sys.executable, str(SAMPLE), "sample", "sums", "Sample-Job"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["described"]["TransformJobStatus"] == "Completed", told
    assert told["arn"].endswith(":transform-job/sample-job")
    # No Accept was asked for, so the handler answers JSON, as the inference toolkit does.
    assert json.loads(s3.get_object(Bucket="sample", Key="output/rows.csv.out")["Body"].read()) == [3.0, 7.0]


def test_the_demos_data_and_model_can_be_seeded_twice(engine: tuple[subprocess.Popen[str], int]) -> None:
    for _ in range(2):
        ran = subprocess.run(
            [*BATCHTX, "demo", "--seed"], capture_output=True, text=True, check=False, env=variables(engine[1])
        )
        assert ran.returncode == 0, ran.stderr
        assert "late-payments" in ran.stdout


def test_it_listens_on_one_loopback_address_alone(engine: tuple[subprocess.Popen[str], int]) -> None:
    # Whoever listens on every address answers at this one too.
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.2", engine[1])) != 0


def test_a_second_engine_on_the_same_port_is_told_so(engine: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    second = subprocess.run(
        [*BATCHTX, "local", "start", "--port", str(engine[1]), "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert second.returncode == 1
    assert f":{engine[1]}" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "variable", "said"),
    [
        (["--faults", '{"fail_evry": 1}'], {}, "fail_evry = 1: is no fault"),
        (["--quota", "m5=2"], {}, "m5=2: write a quota as"),
        ([], {"BATCHTX_THROTTLE": "fast"}, "fast: write a throttle as"),
        ([], {"BATCHTX_FAULTS": "{"}, "must be a JSON object"),
        ([], {"BATCHTX_QUOTAS": "all=1 m5=2"}, "m5=2: write a quota as"),
    ],
)
def test_conditions_that_cannot_be_read_are_told(
    arguments: list[str], variable: dict[str, str], said: str, tmp_path: Path
) -> None:
    command = [*BATCHTX, "local", "start", "--port", str(free_port()), "--home", str(tmp_path), *arguments]
    started = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **variable}
    )

    assert started.returncode == 1
    assert said in started.stderr


def test_services_apart_from_the_s3_have_variables_of_their_own(
    engine: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    storage, port = variables(engine[1])["AWS_ENDPOINT_URL"], free_port()
    options = ["--home", str(tmp_path), "--s3-endpoint-url", storage, "--aws-endpoint-url", "http://127.0.0.1:1"]
    with subprocess.Popen([*BATCHTX, "local", "start", "--port", str(port), *options], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        found = variables(port)
        other.send_signal(signal.SIGINT)

    assert (found["AWS_ENDPOINT_URL_S3"], found["AWS_ENDPOINT_URL"]) == (storage, "http://127.0.0.1:1")
    assert "AWS_ENDPOINT_URL_S3" not in variables(engine[1])


def test_ctrl_c_ends_it_and_what_it_started(engine: tuple[subprocess.Popen[str], int]) -> None:
    process, port = engine
    s3_port = int(variables(port)["AWS_ENDPOINT_URL"].rpartition(":")[2])

    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 0
    assert local("env", port).returncode == 1
    for ended in (port, s3_port):
        with closing(socket.socket()) as probe:
            assert probe.connect_ex(("127.0.0.1", ended)) != 0
