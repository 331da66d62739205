"""Model servers of others that speak the contract, in an environment of their own: `make modelservers` builds that."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.engines import Desk, Engine, Models, running_engine
from tests.integration.engine.test_containers import desk_at, packed

ROOT = Path(__file__).parents[3]
BIN = ROOT / ".venv-modelservers" / "bin"
CLIENTS = ROOT / "tests" / "clients"

pytestmark = pytest.mark.skipif(
    not (BIN.parent / ".installed").exists(), reason="no model servers are installed: make modelservers"
)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give an engine that waits for servers that take long to start."""
    with running_engine(tmp_path_factory.mktemp("patient"), "--ping-seconds", "90") as engine:
        yield engine


@pytest.fixture
def waiting(patient: Engine, models: Models) -> Desk:
    return desk_at(patient, models)


@contextmanager
def running(
    *command: str | Path, folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a server; all that it started ends with the block."""
    environment = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), "NO_PROXY": "127.0.0.1"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env={**environment, **(variables or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def free_ports(count: int) -> list[str]:
    """Give ports that were free a moment ago: these servers cannot be asked which one they took."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save an MLflow model."""
    folder = tmp_path_factory.mktemp("mlflow")
    command = [BIN / "python", CLIENTS / "mlflow_model.py", folder / "model"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "model"


@contextmanager
def mlflow(model: Path, folder: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    command = (BIN / "mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local", "--port", port)
    with running(*command, folder=folder):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def mlserver(model: Path, folder: Path) -> Iterator[str]:
    settings = {
        "name": "doubling",
        "implementation": "mlserver_mlflow.MLflowRuntime",
        "parameters": {"uri": str(model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    http, grpc, metrics = free_ports(3)
    variables = {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": http,
        "MLSERVER_GRPC_PORT": grpc,
        "MLSERVER_METRICS_PORT": metrics,
        "MLSERVER_PARALLEL_WORKERS": "0",
    }
    with running(BIN / "mlserver", "start", folder, folder=folder, variables=variables):
        yield f"http://127.0.0.1:{http}"


def records(rows: list[list[int]]) -> bytes:
    return json.dumps({"dataframe_split": {"columns": ["a", "b"], "data": rows}}).encode() + b"\n"


# What is no JSON MLflow takes for the sender's fault, MLServer for its own.
@pytest.mark.parametrize(("serve", "blamed"), [(mlflow, "ClientError"), (mlserver, "AlgorithmError")])
def test_servers_of_mlflow_models(
    waiting: Desk,
    serve: Callable[[Path, Path], AbstractContextManager[str]],
    blamed: str,
    doubling: Path,
    tmp_path: Path,
) -> None:
    waiting.put_at("csv/a.csv", b"a,b\n1,2\n3,4\n")
    waiting.put_at("json/a.jsonl", records([[1, 2]]) + records([[3, 4], [5, 6]]))
    with serve(doubling, tmp_path) as url:
        model = waiting.model(url)
        table = waiting.run(model, S3Uri=f"s3://{waiting.bucket}/csv/", ContentType="text/csv")
        lines = waiting.run(
            model,
            S3Uri=f"s3://{waiting.bucket}/json/",
            ContentType="application/json",
            SplitType="Line",
            BatchStrategy="SingleRecord",
            AssembleWith="Line",
        )
        waiting.put_at("bad/a.json", b"{")
        refused = waiting.run(model, S3Uri=f"s3://{waiting.bucket}/bad/a.json", ContentType="application/json")

    assert (table["TransformJobStatus"], lines["TransformJobStatus"]) == ("Completed", "Completed")
    assert json.loads(waiting.get("out/a.csv.out")) == {"predictions": [[2, 4], [6, 8]]}
    answers = [json.loads(line) for line in waiting.get("out/a.jsonl.out").splitlines()]
    assert answers == [{"predictions": [[2, 4]]}, {"predictions": [[6, 8], [10, 12]]}]
    assert refused["FailureReason"] == f"{blamed}: See job logs for more information"


# ------------------------------------------------------------------------------------- the toolkit beside our own

HANDLER = """
def model_fn(model_dir):
    return 2

def predict_fn(data, model):
    return data * model
"""


def saved(array: list[list[int]]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(array))
    return stream.getvalue()


INPUTS = {
    "text/csv": b"1,2\n3,4\n",
    "application/json": b"[[1, 2], [3, 4]]",
    "application/x-npy": saved([[1, 2], [3, 4]]),
}


@pytest.mark.parametrize("content_type", INPUTS)
@pytest.mark.parametrize("accept", [*INPUTS, None])
def test_our_handler_server_answers_as_the_toolkit_does(
    toolkit: str, waiting: Desk, content_type: str, accept: str | None
) -> None:
    waiting.put_at("in/a", INPUTS[content_type])
    waiting.put_at("model.tar.gz", packed({"code/inference.py": HANDLER}))
    members = {"ContentType": content_type, **({"Accept": accept} if accept else {})}
    answers = []
    for model in (waiting.model(toolkit), waiting.model("image", ModelDataUrl=f"s3://{waiting.bucket}/model.tar.gz")):
        job = waiting.run(model, **members)
        assert job["TransformJobStatus"] == "Completed", waiting.data_log(job["TransformJobName"])
        answers.append(waiting.get("out/a.out"))

    assert answers[0] == answers[1]


def test_our_handler_server_fails_as_the_toolkit_does(toolkit: str, waiting: Desk) -> None:
    waiting.put_at("in/a", b"x")
    waiting.put_at("model.tar.gz", packed({"code/inference.py": HANDLER}))
    reasons = [
        waiting.run(model, ContentType="application/pdf")["FailureReason"]
        for model in (
            waiting.model(toolkit),
            waiting.model("image", ModelDataUrl=f"s3://{waiting.bucket}/model.tar.gz"),
        )
    ]

    assert reasons[0] == reasons[1] == "AlgorithmError: See job logs for more information"


@pytest.fixture(scope="module")
def toolkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("toolkit")
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(HANDLER)
    with running(BIN / "python", CLIENTS / "toolkit_server.py", folder, folder=folder) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
