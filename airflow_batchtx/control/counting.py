"""How far a job is, counted from its output prefix while it runs."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import BatchTransformError
from airflow_batchtx.planning.forecast import Look, Progress, forecast
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.intent import Intent
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counting:
    """Counts one job's outputs, with one listing in `interval` seconds at most."""

    services: Services
    output: S3Uri
    total: int
    interval: float
    _next: float = 0.0
    _looks: list[Look] = field(default_factory=list)

    @classmethod
    def of(cls, services: Services, intent: Intent, *, interval: float) -> Counting:
        """Count the outputs of those objects that an attempt was sent."""
        total = sum(one.done is None for one in intent.objects)
        return cls(services, S3Uri.parse(intent.output), total, interval)

    def progress(self, seen: Described | None) -> Progress | None:
        """Tell how far the job is, after a look at it; None where it has not started, or it is not time yet.

        Never raises for what cannot be seen.
        """
        now = self.services.clock()
        if seen is None or "TransformStartTime" not in seen or now < self._next:
            return None
        self._next, begun = now + self.interval, seen["TransformStartTime"]
        try:
            found = self.services.store.objects(self.output.as_folder())
            # S3's clock and SageMaker's may differ: this is no proof.
            done = sum(one.last_modified is not None and one.last_modified >= begun for one in found)
        except BatchTransformError as error:
            log.debug("progress cannot be told: %s", error)
            return None
        told = forecast(min(done, self.total), self.total, begun.timestamp(), now, self._looks)
        self._looks.append((now, done))
        return told
