"""What a task's log says while its job is waited for in a triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from weakref import WeakSet

from airflow_batchtx.control.following import Follower
from airflow_batchtx.control.services import Services

# What is new since the last call; it may block, and is called in a thread, by one at a time.
Report: TypeAlias = Callable[[], Iterable[str]]

# Seconds from one look at what there is to tell to the next, and how many of them each job adds whose log is followed:
# the calls for logs that an account takes are those of all.
INTERVAL, SHARE = 5.0, 0.2


async def told(end: asyncio.Future[Any], reports: Sequence[Report], interval: float) -> AsyncIterator[str]:
    """Yield lines until `end` is done, and once more what is new then; nothing, at once, where nothing reports.

    No wait fails with a report: its error is a line, the last one of it.
    """
    left = list(reports)
    while left:
        await asyncio.wait({end}, timeout=interval)
        ended = end.done()
        for report in tuple(left):
            try:
                lines = await asyncio.to_thread(_lines, report)
            except Exception as error:  # noqa: BLE001 - whatever it is, the job goes on
                left.remove(report)
                lines = [f"Nothing more can be told of the job: {error}"]
            for line in lines:
                yield line
        if ended:
            return


def _lines(report: Report) -> list[str]:
    return list(report())


_followed: WeakSet[LogReport] = WeakSet()


@dataclass(eq=False)
class LogReport:
    """Tells what a job's containers print. `services` is called at the first report: it may make clients."""

    services: Callable[[], Services]
    job_name: str
    _follower: Follower | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        _followed.add(self)

    def __call__(self) -> Iterator[str]:
        """Give the lines that are new."""
        if self._follower is None:
            self._follower = Follower.of(self.services(), self.job_name, None, logs=True)
        return self._follower.lines(None)


def interval() -> float:
    """Give the seconds between two reports, by how many logs are followed in this process."""
    return INTERVAL + SHARE * len(_followed)
