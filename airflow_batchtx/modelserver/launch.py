"""Starts what a model's container definition names, and ends it again. One launcher per kind, in one table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from airflow_batchtx import errors
from airflow_batchtx.modelserver import modeldata, requirements
from airflow_batchtx.modelserver.docker import DockerContainer, isolated_network
from airflow_batchtx.modelserver.handlerprocess import HandlerProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a model, ready to start.

    `model_dir` holds its unpacked ModelDataUrl, None where it has none; `environment` is final
    (`contract.environment`); what the container prints is appended to the file `log`. Below `packages` is kept what
    code/requirements.txt names, and the locks that those of one owner share; beside the model, or the log, if it is
    None. `docker` is whose label the container of an image gets, run by docker; with None the model's own code is run
    in its place. The container of an image that is `isolated` has no way out to any network.
    """

    image: str
    log: Path
    model_dir: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: Path | None = None
    docker: str | None = None
    isolated: bool = False


class ModelServer(Protocol):
    """A started model server, for `contextlib.closing`. It is ready once it answers pings (`ModelClient.ping`)."""

    @property
    def url(self) -> str:
        """Say where it answers, for `ModelClient`."""

    def ended(self) -> str | None:
        """Tell why the server ended by itself; None while it runs."""

    def close(self) -> None:
        """End the server and every process it started; a second call does nothing."""


class Kind(Enum):
    """How a container is run."""

    RUNNING = "a model server that runs already: Image is its http:// URL"
    IMAGE = "the image itself, run by docker"
    HANDLER = "code/inference.py of ModelDataUrl, in the handler server"


Launcher = Callable[[Container, Mapping[str, str]], ModelServer]


def launch(container: Container, *, host: Mapping[str, str] = os.environ) -> ModelServer:
    """Start `container`: InvalidModelData where it is nothing that can be, ModelNotReady where it does not start.

    `host` is this machine's environment, of which a launcher hands on only what a process needs to run.
    """
    return LAUNCHERS[kind(container)](container, host)


def kind(container: Container) -> Kind:
    """Decide how `container` is run; InvalidModelData where no way is known."""
    if urlsplit(container.image).scheme in {"http", "https"}:
        return Kind.RUNNING
    if container.docker is not None:
        return Kind.IMAGE
    if container.model_dir is not None:
        return Kind.HANDLER
    raise errors.InvalidModelData(
        f"Image {container.image!r} cannot be run here: give the http:// URL of a running model server as Image, "
        "or a ModelDataUrl with code/inference.py, or start the engine with --docker."
    )


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A model server that someone else runs: we neither start nor end it."""

    url: str

    def ended(self) -> str | None:
        """Nothing is known of its process."""
        return None

    def close(self) -> None:
        """Leave it running."""


def _running(container: Container, _host: Mapping[str, str]) -> ModelServer:
    try:
        usable = urlsplit(container.image).hostname is not None and urlsplit(container.image).port != 0
    except ValueError:
        usable = False
    if not usable:
        raise errors.InvalidModelData(f"Image {container.image!r} is no usable URL: write http://HOST:PORT.")
    return RunningServer(container.image)


def _handler(container: Container, host: Mapping[str, str]) -> ModelServer:
    assert container.model_dir is not None
    modeldata.program(container.model_dir, container.environment)
    keep = container.packages or container.model_dir.parent / "packages"
    packages = requirements.installed(container.model_dir, keep, container.log, requirements.pip_environment(host))
    return HandlerProcess(container.model_dir, container.log, container.environment, packages=packages, host=host)


def _image(container: Container, host: Mapping[str, str]) -> ModelServer:
    assert container.docker is not None
    lock = (container.packages or container.log.parent) / "network.lock"
    return DockerContainer(
        container.image,
        container.model_dir,
        container.log,
        container.environment,
        label=container.docker,
        host=host,
        network=isolated_network(container.docker, host, lock) if container.isolated else None,
    )


LAUNCHERS: Mapping[Kind, Launcher] = {Kind.RUNNING: _running, Kind.IMAGE: _image, Kind.HANDLER: _handler}
