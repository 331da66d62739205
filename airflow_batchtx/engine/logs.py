"""What a job leaves to be read: a stream for each instance's container, and one for what SageMaker says of its data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from airflow_batchtx.spec.uri import S3Uri

# The name of the stream of what SageMaker says of an instance's data, and of its file.
DATA_LOG = "data-log"


class LogSink(Protocol):
    """Takes the logs of one job. An instance's name is `<instance id>-<epoch seconds>`, as in CloudWatch's streams."""

    def container_log(self, instance: str, container: str | None = None) -> Path:
        """Name the file that the instance's container prints to; in a pipeline each `container` has its own."""
        ...

    def data_log(self, instance: str, text: str) -> None:
        """Add a line to the instance's data log."""
        ...


class FileLogs:
    """Logs as files: `<instance>.log` (in a pipeline `<instance>/<container>.log`), and `<instance>/data-log`.

    `clock` gives epoch seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._clock = folder, clock
        self._lock = threading.Lock()

    def container_log(self, instance: str, container: str | None = None) -> Path:
        """Name the file that the instance's container prints to; in a pipeline each `container` has its own."""
        if container is None:
            return self._folder / f"{instance}.log"
        path = self._folder / instance / f"{container}.log"
        path.parent.mkdir(exist_ok=True)
        return path

    def data_log(self, instance: str, text: str) -> None:
        """Add a line to the instance's data log."""
        path = self._folder / instance / DATA_LOG
        with self._lock:
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{stamped(self._clock(), text)}\n")


def stamped(epoch: float, text: str) -> str:
    """Write a line of a data log; its time is UTC, though it does not say so."""
    time = datetime.fromtimestamp(epoch, timezone.utc).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"{time}:[sagemaker logs]: {text}"


def object_lines(source: S3Uri, detail: str, body: str = "") -> Iterator[str]:
    """Say what went wrong with an object; `body` is what the model answered."""
    name = f"{source.bucket}/{source.key}:"
    yield f"{name} {detail}"
    if body:
        yield name
        yield f"{name} Message:"
        yield from (f"{name} {line}" for line in body.splitlines())
