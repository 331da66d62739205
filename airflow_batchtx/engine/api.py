"""What every operation of the API is given."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_batchtx.engine.calls import Calls
from airflow_batchtx.engine.quotas import Quotas
from airflow_batchtx.engine.registry import Job, Registry
from airflow_batchtx.engine.throttle import Throttle
from airflow_batchtx.errors import RequestRefused
from airflow_batchtx.storage.port import ObjectStore

Request = Mapping[str, Any]
Document = dict[str, Any]


class Jobs(Protocol):
    """Whoever runs transform jobs."""

    def start(self, job: Job) -> None:
        """Begin to run a job; returns at once."""
        ...

    def stop(self, job: Job) -> None:
        """End a job that is Stopping; returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """The registry, the S3 that jobs read, their runner and whether it runs real images, as one Region sees them.

    `quotas` and `throttle` limit what may be asked of it, `calls` counts what was.
    """

    region: str
    registry: Registry
    store: ObjectStore
    jobs: Jobs
    runs_images: bool = False
    quotas: Quotas = field(default_factory=lambda: Quotas({}))
    throttle: Throttle = field(default_factory=lambda: Throttle(None, time.monotonic))
    calls: Calls = field(default_factory=Calls)


def refusal(detail: str) -> RequestRefused:
    """Make the error that AWS answers most wrong requests with."""
    return RequestRefused("ValidationException", detail)


def tag_map(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Read a list of tags; each key may be there once."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tags]
    keys = [key for key, _ in pairs]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise refusal(f"Duplicate tag keys found: {', '.join(twice)}.")
    if reserved := sorted(key for key in keys if key.lower().startswith("aws:")):
        raise refusal(f"aws: prefixed tag key names are not allowed for external use: {', '.join(reserved)}.")
    return dict(pairs)
