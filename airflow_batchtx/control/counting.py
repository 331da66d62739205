"""How far a job is, counted from its output prefix while it runs."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from airflow_batchtx.control.ledger import Ledger, Sent
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import BatchTransformError
from airflow_batchtx.planning.forecast import Look, Progress, forecast
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)

# A listing of a hundred thousand objects takes seconds of a processor that a triggerer has for all its jobs.
REST = 20.0


@dataclass(slots=True)
class Counting:
    """Counts what one job has written, with one listing in `interval` seconds at most, the first one after that time,
    and no more than a twentieth of the time in listings.

    `folder` is the attempt's control folder, which tells how many objects were sent, and by S3's own clock since when
    outputs count; where it does not, there is no progress. Jobs of less than `fewest` objects are not counted.
    """

    services: Services
    job_name: str
    folder: S3Uri
    interval: float
    fewest: int = 1
    _sent: Sent | None = None
    _next: float = field(init=False)
    _looks: list[Look] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._next = self.services.clock() + self.interval

    def progress(self) -> Progress | None:
        """Tell how far the job is; None where nothing is written yet, it is not time yet, or it cannot be seen."""
        now = self.services.clock()
        if now < self._next:
            return None
        self._next = now + self.interval
        try:
            self._sent = sent = self._sent or Ledger.of(self.services.store, self.folder).sent(self.job_name)
            done = self._done(sent) if sent and sent.objects >= self.fewest else 0
        except BatchTransformError as error:
            log.debug("progress cannot be told: %s", error)
            return None
        finally:
            self._next = max(self._next, now + REST * (self.services.clock() - now))
        if not sent or not done:
            return None
        # Whoever adopts a job finds much of it done: that was not since this process looks on.
        told = forecast(min(done, sent.objects), sent.objects, sent.since.timestamp(), now, self._looks)
        self._looks.append((now, done))
        return told

    def _done(self, sent: Sent) -> int:
        """Count what came since; who else writes below the prefix is counted too, since this is no proof."""
        objects = self.services.store.objects(sent.output.as_folder())
        return sum(one.last_modified is not None and one.last_modified > sent.since for one in objects)
