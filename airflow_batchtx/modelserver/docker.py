"""Real images, run by the docker command: a container ends with whoever started it, however that one ends."""

from __future__ import annotations

import csv
import io
import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from airflow_batchtx import errors
from airflow_batchtx.modelserver import contract
from airflow_batchtx.modelserver.alone import alone
from airflow_batchtx.modelserver.tethered import Tethered, last_line

# Containers with this label are ours; its value tells whose.
LABEL = "airflow-batchtx.owner"

_DOCKER = "docker"
# An image may have to be pulled first.
_START_SECONDS = 1800.0
_LOOK_SECONDS = 0.1
# docker's exit status where it could not run the container at all: no such image, no daemon, a bad option.
_NOT_RUN = 125
_OWN_WORDS = f"{_DOCKER}: "
_APART = ("--opt", "com.docker.network.bridge.enable_icc=false")
_ADDRESSES = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


def sweep(owner: str, host: Mapping[str, str]) -> int:
    """Remove the containers that `owner` left behind, and count them; LocalEngineError where docker does not answer.

    Its network goes with them.
    """
    try:
        done = _docker(["ps", "--all", "--quiet", "--filter", f"label={LABEL}={owner}"], host)
    except OSError as error:
        raise errors.LocalEngineError(f"The docker command cannot be run ({error}): install docker.") from error
    if done.returncode:
        said = done.stderr.strip() or f"docker ended with exit status {done.returncode}"
        raise errors.LocalEngineError(f"Docker cannot run images here: {said}")
    if found := done.stdout.split():
        _docker(["rm", "--force", *found], host)
    if networks := _networks(owner, host):
        _docker(["network", "rm", *networks], host)
    return len(found)


def isolated_network(owner: str, host: Mapping[str, str], lock: Path) -> str:
    """Name a network of `owner` whose containers reach nobody, and are reached from this machine alone.

    Who holds the same `lock` is given the same one. InvalidModelData where docker makes none.
    """
    # Docker makes several networks of one name where it is asked for them together, and can use none of them then.
    with alone(lock):
        if found := _networks(owner, host):
            return found[0]
        name = f"batchtx-{secrets.token_hex(8)}"
        made = _docker(["network", "create", "--internal", *_APART, "--label", f"{LABEL}={owner}", name], host)
    if made.returncode:
        raise errors.InvalidModelData(f"No network for isolated containers could be made: {made.stderr.strip()}")
    return name


def _networks(owner: str, host: Mapping[str, str]) -> list[str]:
    listing = ["network", "ls", "--format", "{{.Name}}", "--filter", f"label={LABEL}={owner}"]
    return _docker(listing, host).stdout.split()


def run_command(
    name: str,
    image: str,
    model_dir: Path | None,
    environment: Mapping[str, str],
    label: str,
    network: str | None = None,
) -> list[str]:
    """Give the command that runs an image as SageMaker does, on a free port of loopback that docker chooses.

    In a `network` of its own no port is published: docker does not do so where there is no way out.
    """
    reached = ["--network", network] if network else ["--publish", f"127.0.0.1::{contract.PORT}"]
    mount = _bind(model_dir) if model_dir else []
    variables = [word for item in environment.items() for word in ("--env", "=".join(item))]
    return [
        *(_DOCKER, "run", "--rm", "--name", name, "--label", f"{LABEL}={label}"),
        *(*reached, *mount, *variables),
        *("--", image, contract.COMMAND),
    ]


def _bind(model_dir: Path) -> list[str]:
    # Read-only, since all instances share the folder. The option is CSV, and a folder may have a comma in its name.
    fields = ["type=bind", f"source={model_dir.resolve()}", f"target={contract.MODEL_FOLDER}", "readonly"]
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return ["--mount", text.getvalue()]


class DockerContainer:
    """A ModelServer that is the container of an image, in a `network` of its own where one is named."""

    def __init__(
        self,
        image: str,
        model_dir: Path | None,
        log: Path,
        environment: Mapping[str, str],
        *,
        label: str,
        host: Mapping[str, str],
        network: str | None = None,
    ) -> None:
        self._image, self._log, self._host, self._network = image, log, host, network
        self._name = f"batchtx-{secrets.token_hex(8)}"
        self._run = Tethered(
            run_command(self._name, image, model_dir, environment, label, network),
            log=log,
            environment=host,
            afterwards=[_DOCKER, "rm", "--force", self._name],
        )
        try:
            self.url = f"http://{self._address()}"
        except BaseException:
            self.close()
            raise

    def ended(self) -> str | None:
        """Tell why the container ended by itself; None while it runs."""
        if (status := self._run.status()) is None:
            return None
        said = _said(self._log)
        return f"The container ended with exit status {status}" + (f"; its last word: {said}" if said else "")

    def close(self) -> None:
        """Kill the container and remove it; a second call does nothing."""
        self._run.close()

    def _address(self) -> str:
        """Wait until the container runs, and give the address that docker has published, or its own in its network."""
        expires = time.monotonic() + _START_SECONDS
        while (reason := self.ended()) is None and time.monotonic() < expires:
            if found := self._published():
                return found
            time.sleep(_LOOK_SECONDS)
        if self._run.status() == _NOT_RUN:
            raise errors.InvalidModelData(f"Image {self._image} could not be run: {_said(self._log)}")
        raise errors.ModelNotReady(reason or f"Image {self._image} did not start within {_START_SECONDS:g} s")

    def _published(self) -> str | None:
        if self._network:
            found = _docker(["inspect", "--format", _ADDRESSES, self._name], self._host).stdout.split()
            return f"{found[0]}:{contract.PORT}" if found else None
        found = _docker(["port", self._name, f"{contract.PORT}/tcp"], self._host).stdout.split()
        return found[0] if found else None


def _said(log: Path) -> str:
    """Find the last word in a log: docker's own, which advice may follow, or the container's."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith(_OWN_WORDS)), last_line(log))


def _docker(arguments: Sequence[str], host: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_DOCKER, *arguments], env=dict(host), capture_output=True, text=True, check=False)
