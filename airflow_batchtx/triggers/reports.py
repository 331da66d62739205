"""What a task's log says while its job is waited for in a triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from weakref import WeakSet

from airflow_batchtx.control.following import Follower
from airflow_batchtx.control.services import Services
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.triggers.detached import NOBODYS

# What is new since the last call; it may block, and is called in a thread, by one at a time.
Report: TypeAlias = Callable[[], Iterable[str]]

# Seconds from one look at what there is to tell to the next, and how many of them each job adds that is followed: the
# calls that an account takes, and the threads of this process, are those of all.
LOGS_INTERVAL, PROGRESS_INTERVAL, SHARE = 5.0, 60.0, 0.2
# Lines that are told without a turn for others: whoever logs them holds up the event loop.
AT_ONCE = 50


async def told(
    end: asyncio.Future[Any], reports: Sequence[Report], interval: float, *, at_end: bool
) -> AsyncIterator[str]:
    """Yield lines until `end` is done, and `at_end` once more what is new then; at once nothing where nothing reports.

    No wait fails with a report: its error is a line, the last one of it.
    """
    left = list(reports)
    while left:
        await _pause(end, interval)
        if (ended := end.done()) and not at_end:
            return
        for report in tuple(left):
            try:
                lines = await asyncio.to_thread(_lines, report)
            except Exception as error:  # noqa: BLE001 - whatever it is, the job goes on
                left.remove(report)
                lines = [f"Nothing more can be told of the job: {error}"]
            for number, line in enumerate(lines, 1):
                yield line
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
        if ended:
            return


async def _pause(end: asyncio.Future[Any], seconds: float) -> None:
    """Wait for so long, or until the end; with less in memory than asyncio.wait takes for each of a thousand."""
    over = asyncio.get_running_loop().create_future()

    def wake(_: asyncio.Future[Any] | None = None) -> None:
        if not over.done():
            over.set_result(None)

    timer = over.get_loop().call_later(seconds, wake, context=NOBODYS)
    end.add_done_callback(wake, context=NOBODYS)
    try:
        await over
    finally:
        timer.cancel()
        end.remove_done_callback(wake)


def _lines(report: Report) -> list[str]:
    return list(report())


_followed: WeakSet[JobReport] = WeakSet()


@dataclass(eq=False)
class JobReport:
    """Tells how far a job is, by its control folder `record`, and with `logs` what its containers print.

    `services` is called at the first report: it may make clients.
    """

    services: Callable[[], Services]
    job_name: str
    record: str | None = None
    logs: bool = False
    _follower: Follower | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        _followed.add(self)

    def __call__(self) -> Iterator[str]:
        """Give the lines that are new."""
        if self._follower is None:
            folder = S3Uri.parse(self.record) if self.record else None
            self._follower = Follower.of(self.services(), self.job_name, folder, logs=self.logs)
        return self._follower.lines()


def interval(*, logs: bool) -> float:
    """Give the seconds between two reports, by how many jobs are followed in this process."""
    return (LOGS_INTERVAL if logs else PROGRESS_INTERVAL) + SHARE * len(_followed)
