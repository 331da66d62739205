"""The lines of a job's logs, for one who reads along."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_batchtx.control.services import Services
from airflow_batchtx.control.waiting import ended
from airflow_batchtx.sagemaker.joblogs import LogLine

# Seconds between two reads; and for how long after its end a job's last lines may still arrive in CloudWatch.
INTERVAL, LATE = 2.0, 10.0


def lines(
    services: Services,
    job_name: str,
    *,
    follow: bool,
    interval: float = INTERVAL,
    wanted: Callable[[LogLine], bool] = lambda _: True,
) -> Iterator[LogLine]:
    """Yield the lines of a job's logs in the order of their times: those that are there, or all up to the job's end.

    JobNotFound, LogsUnavailable.
    """
    described = services.jobs.describe(job_name)
    tail = services.logs.tail(job_name)

    def ready() -> Iterator[LogLine]:
        while found := tail.lines():
            yield from filter(wanted, found)

    yield from ready()
    if not follow or ended(described):
        return
    while not ended(services.jobs.look(job_name)):
        services.sleep(interval)
        yield from ready()
    last = services.clock() + LATE
    while services.clock() < last:
        services.sleep(interval)
        yield from ready()
