"""How far a job is, counted from its output prefix while it runs."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import BatchTransformError
from airflow_batchtx.planning.forecast import Look, Progress, forecast
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counting:
    """Counts what one job has written, with one listing in `interval` seconds at most, the first one after that time.

    `folder` is the attempt's control folder: its intent tells how many objects were sent, and by S3's own clock since
    when outputs count. Jobs of less than `fewest` objects are not counted.
    """

    services: Services
    job_name: str
    folder: S3Uri
    interval: float
    fewest: int = 1
    _target: _Target | None = None
    _next: float = field(init=False)
    _begun: float = field(init=False)
    _looks: list[Look] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begun = self.services.clock()
        self._next = self._begun + self.interval

    def progress(self) -> Progress | None:
        """Tell how far the job is; None where nothing is written yet, it is not time yet, or it cannot be seen."""
        now = self.services.clock()
        if now < self._next:
            return None
        self._next = now + self.interval
        try:
            self._target = target = self._target or _Target.read(self.services, self.job_name, self.folder)
            done = target.done(self.services) if target.total >= self.fewest else 0
        except BatchTransformError as error:
            log.debug("progress cannot be told: %s", error)
            return None
        if not done:
            return None
        told = forecast(min(done, target.total), target.total, self._begun, now, self._looks)
        self._looks.append((now, done))
        return told


@dataclass(frozen=True, slots=True)
class _Target:
    """How many objects were sent, where their outputs come, and since when (ISO 8601, by S3's clock)."""

    total: int
    output: S3Uri
    since: str

    @classmethod
    def read(cls, services: Services, job_name: str, folder: S3Uri) -> _Target:
        ledger = Ledger.of(services.store, folder)
        written, since = ledger.intent(job_name), ledger.announced(job_name)
        if written is None:
            return cls(0, folder, "")
        total = sum(one.done is None for one in written.intent.objects)
        return cls(total, S3Uri.parse(written.intent.output), since or "")

    def done(self, services: Services) -> int:
        """Count what came since; who else writes below the prefix is counted too, since this is no proof."""
        objects = services.store.objects(self.output.as_folder())
        return sum(one.last_modified is not None and one.last_modified.isoformat() > self.since for one in objects)
