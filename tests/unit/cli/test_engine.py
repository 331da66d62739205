"""What `batchtx local` says without any engine: variables, and what is wrong with a command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_batchtx.cli.engine import Health, clients, environment, exports
from airflow_batchtx.cli.extras import require
from airflow_batchtx.errors import LocalEngineError

HERE = Health(
    engine="http://127.0.0.1:8900", storage="http://127.0.0.1:8901", services="http://127.0.0.1:8901",
    region="eu-west-1", version="1",
)  # fmt: skip


def test_everything_that_a_process_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "corp.example")
    monkeypatch.delenv("no_proxy", raising=False)

    assert environment(HERE) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:8901",
        "AWS_ENDPOINT_URL_SAGEMAKER": "http://127.0.0.1:8900",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "batchtx",
        "AWS_SECRET_ACCESS_KEY": "batchtx",
        "NO_PROXY": "corp.example,127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def test_over_awss_own_s3_neither_its_endpoint_nor_credentials_are_named() -> None:
    found = environment(Health(HERE.engine, None, None, HERE.region, HERE.version))

    assert found["AWS_ENDPOINT_URL_SAGEMAKER"] == HERE.engine
    assert not {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & found.keys()


def test_services_apart_from_the_s3() -> None:
    found = environment(Health(HERE.engine, HERE.storage, "http://127.0.0.1:9", HERE.region, HERE.version))

    s3, sagemaker = clients(found)

    assert (found["AWS_ENDPOINT_URL"], found["AWS_ENDPOINT_URL_S3"]) == ("http://127.0.0.1:9", HERE.storage)
    assert s3.meta.endpoint_url == HERE.storage
    assert sagemaker.meta.endpoint_url == HERE.engine
    assert s3.meta.config.proxies == {}


def test_what_a_shell_reads() -> None:
    assert exports({"A": "1", "B": "two words"}) == "export A=1\nexport B='two words'"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    for name in [name for name in sys.modules if name.partition(".")[0] == "moto"]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(LocalEngineError, match=r"moto.*pip install 'airflow-batchtx\[local\]'"):
        require("local")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--s3-endpoint-url", "nonsense"], "nonsense"),
        (["--home", "/dev/null/engine"], "/dev/null/engine"),
        (["--s3-port", "99999"], "--s3-port"),
        (["--port", "0"], "--port"),
    ],
)
def test_a_wrong_command_line_is_told_without_a_traceback(arguments: list[str], told: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "airflow_batchtx.cli.main", "local", "start"]
    home = [] if "--home" in arguments else ["--home", str(tmp_path)]

    ran = subprocess.run([*command, *home, *arguments], capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode in (1, 2)
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
