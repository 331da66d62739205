"""Starts what a model's container definition names, and ends it again. One launcher per kind, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a model, ready to start.

    `model_dir` holds its unpacked ModelDataUrl; `environment` is final (`contract.environment`); what the container
    prints is appended to the file `log`.
    """

    image: str
    log: Path
    model_dir: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class ModelServer(Protocol):
    """A started model server, for `contextlib.closing`. It is ready once it answers pings (`ModelClient.ping`)."""

    url: str

    def ended(self) -> str | None:
        """Tell why the server ended by itself; None while it runs."""

    def close(self) -> None:
        """End the server and every process it started; a second call does nothing."""


class Kind(Enum):
    """How a container is run."""

    RUNNING = "a model server that runs already: Image is its http:// URL"
    HANDLER = "code/inference.py of ModelDataUrl, in the handler server"


def launch(container: Container) -> ModelServer:
    """Start `container`: InvalidModelData where it is nothing we can start, ModelNotReady where it did not start."""
    return LAUNCHERS[kind(container)](container)


def kind(container: Container) -> Kind:
    """Decide how `container` is to be run."""
    raise NotImplementedError


LAUNCHERS: Mapping[Kind, Callable[[Container], ModelServer]] = {}
