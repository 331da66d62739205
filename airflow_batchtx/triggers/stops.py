"""Stopping jobs whose tasks are over: hundreds at once where a DAG run is failed, and AWS takes a few a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from airflow_batchtx.errors import BatchTransformError, ServiceUnavailable
from airflow_batchtx.triggers.calls import Calls
from airflow_batchtx.triggers.detached import detached

log = logging.getLogger(__name__)

# Airflow is asked so often whether its task is over, after pauses that double from one second on.
ASKED = 5
# A job is asked to stop so often: at the slowest rate, for as long as an outage of some minutes.
TRIES = 200


class Stops:
    """Stops jobs one after another. What is asked for is done also where nobody waits for it any more."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._turn = asyncio.Lock()
        self._open: set[asyncio.Task[bool | None]] = set()

    @property
    def open(self) -> int:
        """How many have not been asked to stop yet."""
        return len(self._open)

    async def stop(self, job_name: str, wanted: Callable[[], bool]) -> bool | None:
        """Ask for a job's end if it is `wanted`: None if not, False where the job has ended or is stopping anyway.

        `wanted` is called in a thread; where it fails again and again, the job is left alone. JobNotFound, JobRefused
        or ServiceUnavailable, which are logged as well.
        """
        task = detached(self._stop(job_name, wanted))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return await asyncio.shield(task)

    async def _stop(self, job_name: str, wanted: Callable[[], bool]) -> bool | None:
        if not await self._wanted(job_name, wanted):
            return None
        try:
            asked = await self._ask(job_name)
        except BatchTransformError as error:
            log.warning("Transform job %s was not stopped, though its task is over: %s", job_name, error)
            raise
        log.info("Transform job %s %s: its task is over", job_name, "is asked to stop" if asked else "needs no stop")
        return asked

    async def _wanted(self, job_name: str, wanted: Callable[[], bool]) -> bool:
        for number in range(ASKED):
            if (answer := await self._answer(job_name, wanted)) is not None:
                return answer
            await asyncio.sleep(2**number)
        log.error("Transform job %s runs on: Airflow does not tell whether its task is over", job_name)
        return False

    async def _answer(self, job_name: str, wanted: Callable[[], bool]) -> bool | None:
        try:
            return await self._calls.in_thread(wanted)
        except Exception:
            log.exception("Cannot tell yet whether transform job %s is to be stopped", job_name)
            return None

    async def _ask(self, job_name: str) -> bool:
        async with self._turn:  # so that looks have their turns too
            for _ in range(TRIES - 1):
                with suppress(ServiceUnavailable):
                    return await self._calls.make(lambda jobs: jobs.stop(job_name))
            return await self._calls.make(lambda jobs: jobs.stop(job_name))
