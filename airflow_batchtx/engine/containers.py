"""The containers of a model: what an instance is told of them, and how it runs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_batchtx.engine.archive import unpack
from airflow_batchtx.engine.logs import DATA_LOG, LogSink
from airflow_batchtx.engine.order import ContainerOrder, Order, Terms
from airflow_batchtx.engine.registry import Model
from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.modelserver.contract import environment
from airflow_batchtx.modelserver.launch import Container, ModelServer, launch
from airflow_batchtx.modelserver.pipeline import Pipeline
from airflow_batchtx.storage.port import ObjectStore

# Images that are the address of a model server.
RUNNING = ("http://", "https://")


# The containers of a model as they were given, each with the folder of its archive if it has one.
Unpacked = tuple[tuple[Mapping[str, Any], "Path | None"], ...]


def containers(model: Model) -> list[Mapping[str, Any]]:
    """Give a model's containers in the order in which a record passes them."""
    found: list[Mapping[str, Any]] = model.request.get("Containers") or [model.request["PrimaryContainer"]]
    return found


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model's containers with their archives unpacked, for all instances of a job.

    `docker` is the owner of the images that docker runs, None where it runs none; they are `isolated` where the model's
    EnableNetworkIsolation says so.
    """

    containers: Unpacked
    job_environment: Mapping[str, str]
    region: str
    terms: Terms
    packages: Path
    docker: str | None
    isolated: bool

    def orders(self, instance: str, sink: LogSink) -> Iterator[ContainerOrder]:
        """Say what `instance` is to start. In a pipeline each container has a name, and a log of its own."""
        names = log_names([container for container, _ in self.containers])
        for name, (container, model_dir) in zip(names, self.containers, strict=True):
            yield ContainerOrder(
                image=container.get("Image", ""),
                log=str(sink.container_log(instance, name)),
                model_dir=str(model_dir) if model_dir else None,
                environment=self._environment(container),
                packages=str(self.packages),
                docker=self.docker,
                isolated=self.isolated,
            )

    def _environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        wishes = self.terms.wishes
        # Containers are told the Region of their job; what model or job say of it counts more.
        region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), self.region)
        return environment(
            region | container.get("Environment", {}),
            self.job_environment,
            max_concurrent_transforms=wishes.max_concurrent_transforms,
            max_payload_in_mb=wishes.max_payload_in_mb,
            batch_strategy=wishes.batch_strategy,
        )


def log_names(containers: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Name the logs of a model's containers: by ContainerHostname or position, and not at all where there is but one.

    Hostnames count for nothing where they would put two logs into one, as those of a package's containers may.
    """
    if len(containers) == 1:
        return [None]
    by_position = [f"container-{position}" for position, _ in enumerate(containers, 1)]
    names = [container.get("ContainerHostname", name) for container, name in zip(containers, by_position, strict=True)]
    return [*(by_position if len({*names, DATA_LOG}) <= len(names) else names)]


def unpacked(store: ObjectStore, model: Model, folder: Path) -> Unpacked:
    """Unpack the archives of a model's containers below `folder`; a server that runs has its model already."""
    found: list[tuple[Mapping[str, Any], Path | None]] = []
    for position, container in enumerate(containers(model), 1):
        url, model_dir = container.get("ModelDataUrl"), None
        if url is not None and not container.get("Image", "").startswith(RUNNING):
            model_dir = folder / str(position) / "model"
            unpack(store, url, model_dir)
        found.append((container, model_dir))
    return tuple(found)


@contextmanager
def serving(order: Order, stopping: threading.Event) -> Iterator[Pipeline]:
    """Run the containers of an order; each has answered a ping. None of them is left afterwards."""
    with ExitStack() as stack:
        servers = [stack.enter_context(closing(launch(_container(told)))) for told in order.containers]
        deadline = time.monotonic() + order.ping_seconds
        yield Pipeline([_ready(server, order, deadline, stopping) for server in servers])


def _ready(server: ModelServer, order: Order, deadline: float, stopping: threading.Event) -> ModelClient:
    client = ModelClient(
        server.url,
        timeout=order.terms.invocation_seconds,
        retries=order.terms.invocation_retries,
        connect=order.interference.links(),
    )
    client.ping(deadline=deadline, ended=lambda: "stopping" if stopping.is_set() else server.ended())
    return client


def _container(told: ContainerOrder) -> Container:
    return Container(
        image=told.image,
        log=Path(told.log),
        model_dir=Path(told.model_dir) if told.model_dir else None,
        environment=told.environment,
        packages=Path(told.packages) if told.packages else None,
        docker=told.docker,
        isolated=told.isolated,
    )
