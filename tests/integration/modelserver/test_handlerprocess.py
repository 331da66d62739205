from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from airflow_batchtx import errors
from airflow_batchtx.modelserver import contract
from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.modelserver.handlerprocess import HandlerProcess
from airflow_batchtx.modelserver.launch import Container, ModelServer, launch
from airflow_batchtx.spec.uri import S3Uri

DOUBLING = """
print("loading")

def model_fn(model_dir):
    return 2

def predict_fn(data, model):
    return data * model
"""


def container(folder: Path, code: str, environment: Mapping[str, str] | None = None) -> Container:
    (folder / "model" / "code").mkdir(parents=True)
    (folder / "model" / "code" / "inference.py").write_text(code)
    return Container(
        image="churn:1",
        log=folder / "log",
        model_dir=folder / "model",
        environment=contract.environment({}, environment or {}),
    )


@contextmanager
def ready(
    folder: Path, code: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[ModelServer, ModelClient]]:
    with ExitStack() as stack:
        server = stack.enter_context(closing(launch(container(folder, code, environment))))
        client = stack.enter_context(closing(ModelClient(server.url, timeout=30, retries=0)))
        client.ping(deadline=time.monotonic() + 60, ended=server.ended)
        yield server, client


def invoke(client: ModelClient, body: bytes = b"1,2\n3,4\n", accept: str | None = "text/csv") -> bytes:
    return client.invoke(body, content_type="text/csv", accept=accept, source_object=S3Uri("b", "k"))


def exists(pid: int) -> bool:
    """Whether a process lives; one that has ended and waits to be reaped by init does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually_gone(*pids: int) -> bool:
    for _ in range(200):
        if not any(map(exists, pids)):
            return True
        time.sleep(0.05)
    return False


def test_a_handler_serves(tmp_path: Path) -> None:
    with ready(tmp_path, DOUBLING) as (server, client):
        assert invoke(client) == b"2,4\n6,8\n"
        assert client.execution_parameters() is None
        assert server.ended() is None

    assert (tmp_path / "log").read_text() == "loading\n"


def test_its_environment_is_the_containers(tmp_path: Path) -> None:
    code = """
import json, os
def model_fn(d): return d
def transform_fn(m, d, c, a): return json.dumps([dict(os.environ), m])
"""
    with ready(tmp_path, code, {"THRESHOLD": "0.5"}) as (_, client):
        environment, model_dir = json.loads(invoke(client))

    assert environment["SAGEMAKER_BATCH"] == "true"
    assert environment["THRESHOLD"] == "0.5"
    assert model_dir == str(tmp_path / "model")


@pytest.mark.parametrize("name", ["json", "http", "client", "airflow_batchtx_extra"])
def test_a_handler_may_have_modules_beside_it(name: str, tmp_path: Path) -> None:
    whole = container(
        tmp_path, f"import {name}\ndef model_fn(d): return 1\ndef transform_fn(m, d, c, a): return {name}.__file__"
    )
    assert whole.model_dir
    (whole.model_dir / "code" / f"{name}.py").write_text("")
    with closing(launch(whole)) as server, closing(ModelClient(server.url, retries=0)) as client:
        client.ping(deadline=time.monotonic() + 60, ended=server.ended)

        # A module that the server itself has loaded stays the standard library's, as in any Python.
        mine = str(whole.model_dir / "code" / f"{name}.py")
        assert (invoke(client).decode() == mine) is (name not in {"json", "http"})


def test_packages_come_before_this_pythons_own(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "numpy.py").write_text("array = 'another numpy'")
    code = "import numpy\ndef model_fn(d): return numpy.array\ndef transform_fn(m, d, c, a): return m"
    whole = container(tmp_path, code)
    assert whole.model_dir
    with (
        closing(HandlerProcess(whole.model_dir, whole.log, {}, packages=packages, host=os.environ)) as server,
        closing(ModelClient(server.url)) as client,
    ):
        client.ping(deadline=time.monotonic() + 60, ended=server.ended)
        assert invoke(client) == b"another numpy"


def test_its_errors_come_with_the_traceback(tmp_path: Path) -> None:
    code = "def model_fn(d): return 1\ndef predict_fn(data, model): return data['age']"
    with ready(tmp_path, code) as (_, client), pytest.raises(errors.ModelFailed) as raised:
        invoke(client)

    assert raised.value.status == 500
    assert "inference.py" in raised.value.body
    assert "inference.py" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def model_fn(d): raise ValueError('no model.joblib')", "could not be loaded: ValueError: no model.joblib"),
        ("import not_installed", "ModuleNotFoundError: No module named 'not_installed'"),
        ("def model_fn(d) return", r"SyntaxError: .*inference.py, line 1"),
        ("", "Please provide a model_fn"),
        ("import sys; sys.exit('licence expired')", "exit status 1; the last line of its log: licence expired"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
    ],
)
def test_a_model_that_does_not_load_says_why(code: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(errors.ModelNotReady, match=reason), ready(tmp_path, code):
        pass


def test_a_model_dir_without_a_handler_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidModelData, match=r"no code/inference\.py"):
        launch(Container(image="churn:1", log=tmp_path / "log", model_dir=tmp_path))


WITH_CHILD = """
import os, signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])

def model_fn(model_dir):
    return f"{os.getpid()} {child.pid}"

def transform_fn(model, data, content_type, accept):
    if data == "die":
        os.kill(os.getpid(), 9)
    return model
"""


def test_close_ends_the_process_and_its_children(tmp_path: Path) -> None:
    with ready(tmp_path, WITH_CHILD.replace("signal.SIG_IGN", "signal.SIG_DFL")) as (server, client):
        pids = [int(pid) for pid in invoke(client).split()]
        assert all(map(exists, pids))
        server.close()
        assert eventually_gone(*pids)
        server.close()


def test_a_death_in_mid_job_is_noticed_and_leaves_no_children(tmp_path: Path) -> None:
    with ready(tmp_path, WITH_CHILD) as (server, client):
        pids = [int(pid) for pid in invoke(client).split()]
        with pytest.raises(errors.ModelFailed):
            invoke(client, b"die")
        while server.ended() is None:
            time.sleep(0.01)

        assert server.ended() == "The handler server was killed by SIGKILL"
        assert eventually_gone(*pids)


PARENT = """
import sys, time
from pathlib import Path
from airflow_batchtx.modelserver.handlerprocess import HandlerProcess
from airflow_batchtx.modelserver.launch import Container, launch
folder = Path(sys.argv[1])
print(launch(Container(image="churn:1", log=folder / "log", model_dir=folder / "model")).url, flush=True)
time.sleep(600)
"""


def test_it_dies_with_its_parent_even_when_that_is_killed(tmp_path: Path) -> None:
    container(tmp_path, WITH_CHILD)
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        with closing(ModelClient(parent.stdout.readline().strip(), retries=0)) as client:
            client.ping(deadline=time.monotonic() + 60)
            pids = [int(pid) for pid in invoke(client).split()]
        parent.kill()

    assert eventually_gone(*pids)


def test_many_start_at_once_each_with_a_port_of_its_own(tmp_path: Path) -> None:
    code = "def model_fn(d): return d\ndef transform_fn(m, d, c, a): return m"
    folders = [tmp_path / name for name in "abc"]
    with ExitStack() as stack:
        servers = [stack.enter_context(closing(launch(container(folder, code)))) for folder in folders]
        clients = [stack.enter_context(closing(ModelClient(server.url, retries=0))) for server in servers]
        for client in clients:
            client.ping(deadline=time.monotonic() + 60)

        assert [invoke(client).decode() for client in clients] == [str(folder / "model") for folder in folders]


def test_the_server_runs_by_hand_too(tmp_path: Path) -> None:
    container(tmp_path, DOUBLING)
    command = [sys.executable, "-m", "airflow_batchtx.modelserver.serve", "--model-dir", str(tmp_path / "model")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        port = json.loads(process.stdout.readline())["port"]
        with closing(ModelClient(f"http://127.0.0.1:{port}", retries=0)) as client:
            client.ping(deadline=time.monotonic() + 60)
            assert invoke(client) == b"2,4\n6,8\n"
        process.stdin.close()

        assert process.wait(30) == 0


def test_a_worker_count_bounds_what_runs_at_once(tmp_path: Path) -> None:
    code = """
import threading, time
running, most = 0, 0
lock = threading.Lock()
def model_fn(d): return 1
def transform_fn(m, d, c, a):
    global running, most
    with lock:
        running += 1
        most = max(most, running)
    time.sleep(0.05)
    with lock:
        running -= 1
    return str(most)
"""
    with ready(tmp_path, code, {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}) as (_, client), ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: invoke(client), range(8))) == {b"1"}
