"""What docker is told, by a stand-in for its command that notes what it hears."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_batchtx import errors
from airflow_batchtx.modelserver.docker import LABEL, run_command, sweep
from airflow_batchtx.modelserver.launch import Container, launch
from tests.integration.modelserver.test_handlerprocess import eventually_gone

# A container's process is the one of `run`; `rm` only tells that it was called.
STAND_IN = """#!/bin/sh
echo "$*" >> "$HEARD"
case "$1" in
    run) test -z "$REFUSING" || { echo "docker: no such image" >&2; echo "See --help" >&2; exit 125; }
         test -z "$ENDING" || { echo "out of memory"; exit 3; }
         echo $$ > "$HEARD.pid"
         exec sleep 600 ;;
    network) test "$2" != ls || cat "$HEARD.net" 2>/dev/null
             test "$2" != create || { test -z "$REFUSING" || { echo "no address left" >&2; exit 1; }
                                      for name; do :; done; echo "$name" > "$HEARD.net"; echo id; } ;;
    inspect) echo "172.18.0.2 " ;;
    port) test -f "$HEARD.pid" && echo 127.0.0.1:4711 ;;
    ps) test -z "$REFUSING" || { echo "no daemon" >&2; exit 1; }
        echo "one"; echo "two" ;;
    rm) echo "$3" ;;
esac
"""


@pytest.fixture
def host(tmp_path: Path) -> dict[str, str]:
    """Give an environment whose docker is the stand-in."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(STAND_IN)
    (tmp_path / "bin" / "docker").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HEARD": str(tmp_path / "heard"), "REFUSING": "", "ENDING": ""}


def image(folder: Path) -> Container:
    return Container(image="churn:1", log=folder / "log", environment={"A": "1"}, docker="me")


def heard(host: dict[str, str]) -> list[str]:
    return Path(host["HEARD"]).read_text().splitlines()


def removals(host: dict[str, str]) -> list[str]:
    return [line for line in heard(host) if line.startswith("rm")]


def test_the_command_line(tmp_path: Path) -> None:
    model_dir = tmp_path / "a,b"

    command = run_command("name", "churn:1", model_dir, {"A": "1", "B": "x=y\nz"}, "me")

    assert command == [
        *("docker", "run", "--rm", "--name", "name", "--label", f"{LABEL}=me", "--publish", "127.0.0.1::8080"),
        *("--mount", f'type=bind,"source={model_dir}",target=/opt/ml/model,readonly'),
        *("--env", "A=1", "--env", "B=x=y\nz", "--", "churn:1", "serve"),
    ]
    assert "--mount" not in run_command("name", "churn:1", None, {}, "me")
    isolated = run_command("name", "churn:1", None, {}, "me", "net")
    assert isolated[-6:] == [f"{LABEL}=me", "--network", "net", "--", "churn:1", "serve"]


def test_a_container_is_removed_when_it_is_closed(host: dict[str, str], tmp_path: Path) -> None:
    with closing(launch(image(tmp_path), host=host)) as server:
        pid = int(Path(host["HEARD"] + ".pid").read_text())
        assert server.url == "http://127.0.0.1:4711"
        assert server.ended() is None
        assert removals(host) == []
    server.close()

    assert eventually_gone(pid)
    name = next(line for line in heard(host) if line.startswith("run")).split()[3]
    assert name.startswith("batchtx-")
    assert removals(host) == [f"rm --force {name}"]


def test_an_isolated_container_is_reached_in_a_network_that_leads_nowhere(host: dict[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        with closing(launch(replace(image(tmp_path), isolated=True), host=host)) as server:
            assert server.url == "http://172.18.0.2:8080"

    (created,) = [line for line in heard(host) if line.startswith("network create")]
    apart = "--internal --opt com.docker.network.bridge.enable_icc=false"
    assert created.startswith(f"network create {apart} --label {LABEL}=me batchtx-")
    runs = [line for line in heard(host) if line.startswith("run")]
    network = created.split()[-1]
    assert all(f"--network {network} " in line and "--publish" not in line for line in runs)


def test_an_isolated_container_without_a_network_says_why(host: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidModelData, match=r"No network .* could be made: no address left"):
        launch(replace(image(tmp_path), isolated=True), host={**host, "REFUSING": "yes"})


def test_names_are_never_shared(host: dict[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        with closing(launch(image(tmp_path), host=host)):
            pass

    assert len(set(removals(host))) == 2


PARENT = """
import os, sys, time
from pathlib import Path
from airflow_batchtx.modelserver.launch import Container, launch
server = launch(Container(image="churn:1", log=Path(sys.argv[1]) / "log", docker="me"))
print(server.url, flush=True)
time.sleep(600)
"""


def test_a_container_is_removed_when_its_parent_is_killed(host: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **host}) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"http://127.0.0.1:4711\n"
        pid = int(Path(host["HEARD"] + ".pid").read_text())
        parent.kill()

    assert eventually_gone(pid)
    deadline = time.monotonic() + 15
    while not removals(host) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(removals(host)) == 1


def test_an_image_that_docker_cannot_run(host: dict[str, str], tmp_path: Path) -> None:
    host["REFUSING"] = "yes"

    with pytest.raises(errors.InvalidModelData, match="Image churn:1 could not be run: docker: no such image"):
        launch(image(tmp_path), host=host)


def test_a_container_that_ends_says_why(host: dict[str, str], tmp_path: Path) -> None:
    host["ENDING"] = "yes"

    with pytest.raises(errors.ModelNotReady, match="The container ended with exit status 3; its last word: out of mem"):
        launch(image(tmp_path), host=host)


def test_a_sweep_removes_what_its_owner_left(host: dict[str, str]) -> None:
    Path(host["HEARD"] + ".net").write_text("net")

    assert sweep("me", host) == 2
    assert heard(host) == [
        f"ps --all --quiet --filter label={LABEL}=me",
        "rm --force one two",
        f"network ls --format {{{{.Name}}}} --filter label={LABEL}=me",
        "network rm net",
    ]


def test_without_docker_nothing_starts(host: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(errors.LocalEngineError, match="no daemon"):
        sweep("me", {**host, "REFUSING": "yes"})
    with pytest.raises(errors.LocalEngineError, match="install docker"):
        sweep("me", {"PATH": str(tmp_path)})
