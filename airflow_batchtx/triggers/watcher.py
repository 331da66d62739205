"""One watch over many jobs: what all deferred tasks of a triggerer that reach AWS in the same way wait with."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial

from airflow_batchtx.control.waiting import Watch, ended
from airflow_batchtx.errors import BatchTransformError, JobTimedOut, ServiceUnavailable
from airflow_batchtx.sagemaker.jobs import Page
from airflow_batchtx.triggers.bucket import Bucket
from airflow_batchtx.triggers.calls import Calls, Connected
from airflow_batchtx.triggers.detached import NOBODYS, detached
from airflow_batchtx.triggers.looks import Describe, Rest, Seen, Sweep, Waiter, next_step
from airflow_batchtx.triggers.stops import Stops

log = logging.getLogger(__name__)

CALLS_PER_SECOND = 5.0
# Seconds that a watcher without a job is kept, with its client: the next task is often not far.
KEPT = 60.0
# Seconds without listings, by why there are none.
DENIED, FRUITLESS, FAILED = 1800.0, 300.0, 60.0
# How often one page is asked for, and how many looks at one job in a row may fail for a reason that is none of AWS's.
TRIES, STRANGE = 5, 4


class Watcher:
    """Tells of the end of any number of jobs, and stops some, with few calls that are spread over time.

    For the event loop that runs when it is made, which it never holds up. `connect` is called in a thread; `clock`
    gives seconds since the epoch, `chance` numbers from 0 to 1. `forget` is called when nobody has waited for a
    minute; a watcher can be used again after that.
    """

    def __init__(
        self,
        connect: Callable[[], Connected],
        *,
        calls_per_second: float = CALLS_PER_SECOND,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock, self._chance, self._forget = clock, chance, forget
        self._calls = Calls(connect, Bucket(rate=calls_per_second, clock=self._loop.time, chance=chance))
        self._stops = Stops(self._calls)
        self._waiters: dict[str, list[Waiter]] = {}
        self._at_work: asyncio.Task[None] | None = None
        self._news, self._resting_until = asyncio.Event(), -math.inf
        self._next_sweep = self._no_sweep_before = -math.inf

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiters.values()))

    def wait(self, job_name: str, *, interval: float, deadline: float | None) -> asyncio.Future[Seen]:
        """Give what SageMaker tells of a job once it has ended, however it ended: a description or a summary.

        `interval` is the longest pause between two looks, in seconds, while calls are not throttled; `deadline` is in
        seconds since the epoch. JobNotFound, JobRefused, JobTimedOut; throttling and outages end no wait, and
        ServiceUnavailable is for what fails again and again before AWS is asked. Who does not want to know any more
        cancels it.
        """
        watch = Watch(job_name=job_name, interval=interval, deadline=None, clock=self._clock, chance=self._chance)
        waiter = Waiter.new(watch, self._loop.create_future(), self._loop.time())
        if deadline is not None:
            waiter.timer = self._loop.call_later(deadline - watch.began, self._expire, waiter, context=NOBODYS)
        self._waiters.setdefault(job_name, []).append(waiter)
        waiter.end.add_done_callback(partial(self._leave, waiter), context=NOBODYS)
        self._be_at_work(waiter.due)
        return waiter.end

    async def stop(self, job_name: str, *, wanted: Callable[[], bool] = lambda: True) -> bool | None:
        """Ask for a job's end if it is `wanted`; see Stops.stop."""
        self._be_at_work(-math.inf)
        return await self._stops.stop(job_name, wanted)

    # -------------------------------------------------------------------------------------------------- who waits

    def _every(self) -> list[Waiter]:
        return [waiter for waiters in self._waiters.values() for waiter in waiters if not waiter.end.done()]

    def _leave(self, waiter: Waiter, _: asyncio.Future[Seen]) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
        waiters = self._waiters[waiter.watch.job_name]
        waiters.remove(waiter)
        if not waiters:
            del self._waiters[waiter.watch.job_name]

    def _expire(self, waiter: Waiter) -> None:
        self._fail([waiter], JobTimedOut(waiter.watch.job_name, max(self._clock() - waiter.watch.began, 0.0)))

    def _fail(self, waiters: Iterable[Waiter], error: Exception) -> None:
        for waiter in waiters:
            if not waiter.end.done():
                waiter.end.set_exception(error)

    def _saw(self, seen: Seen) -> list[Waiter]:
        """Tell those who wait for a job of a look at it; gives them."""
        waiters = self._waiters.get(seen["TransformJobName"], [])
        for waiter in waiters:
            if not ended(seen):
                waiter.look_again(self._loop.time(), seen)
            elif not waiter.end.done():
                waiter.end.set_result(seen)
        return waiters

    # ------------------------------------------------------------------------------------------------ the work

    def _be_at_work(self, due: float) -> None:
        if self._at_work is None:
            self._at_work = detached(self._work())
        if due < self._resting_until:
            self._news.set()

    async def _work(self) -> None:
        try:
            await self._watch()
        except Exception as error:
            log.exception("The watch over %d transform jobs has failed", self.waiting)
            self._fail(self._every(), error)
        finally:
            for waiter in self._every():
                waiter.end.cancel()
            self._at_work = None
            self._calls.close()
            self._forget()

    async def _watch(self) -> None:
        while True:
            self._news.clear()
            match self._next_step():
                case Rest(until):
                    if not await self._rest(until) and not self._waiters and not self._stops.open:
                        return
                case Describe(waiters):
                    await asyncio.gather(*map(self._describe, waiters))
                case Sweep() as sweep:
                    await self._sweep(sweep)

    def _next_step(self) -> Rest | Describe | Sweep:
        now, waiters = self._loop.time(), self._every()
        if not waiters:
            return Rest(now + KEPT)
        return next_step(waiters, now, self._next_sweep if now >= self._no_sweep_before else math.inf)

    async def _rest(self, until: float) -> bool:
        """Wait until then; gives whether there were news before."""
        self._resting_until = until
        try:
            await asyncio.wait_for(self._news.wait(), max(until - self._loop.time(), 0.0))
        except asyncio.TimeoutError:
            return False
        finally:
            self._resting_until = -math.inf
        return True

    async def _describe(self, waiter: Waiter) -> None:
        name = waiter.watch.job_name
        try:
            seen = await self._calls.make(lambda jobs: jobs.describe(name))
        except ServiceUnavailable:
            waiter.look_soon(self._loop.time())
        except BatchTransformError as refusal:
            self._fail(self._waiters.get(name, []), refusal)
        except Exception as error:  # noqa: BLE001 - nothing may end the watch over the others
            self._strange(waiter, error)
        else:
            self._saw(seen)

    def _strange(self, waiter: Waiter, error: Exception) -> None:
        """Bear with what may be over soon, such as an Airflow that cannot tell its connections just now."""
        log.warning("A look at transform job %s has failed", waiter.watch.job_name, exc_info=error)
        waiter.look_again(self._loop.time(), None)
        if waiter.watch.misses >= STRANGE:
            failure = ServiceUnavailable(waiter.watch.job_name, type(error).__name__, str(error))
            failure.__cause__ = error
            self._fail([waiter], failure)

    async def _sweep(self, sweep: Sweep) -> None:
        began, created_after, token = self._loop.time(), sweep.created_after, None
        while page := await self._page(token, created_after):
            sweep.found([waiter for job in page.jobs for waiter in self._saw(job)])
            token = page.token
            if token is None or not sweep.goes_on:
                self._swept(sweep, began)
                return

    def _swept(self, sweep: Sweep, began: float) -> None:
        for waiter in sweep.left:
            waiter.missed = True
        self._next_sweep = began + sweep.rest()
        if not sweep.worthwhile:
            self._do_not_list(FRUITLESS)

    async def _page(self, token: str | None, created_after: datetime | None) -> Page | None:
        """Ask for a page, also again; None where it is not to be had, and listings will not be for a while."""
        try:
            for _ in range(TRIES):
                with suppress(ServiceUnavailable):
                    return await self._calls.make(lambda jobs: jobs.page(token=token, created_after=created_after))
            self._do_not_list(FAILED)
        except BatchTransformError as refusal:
            log.warning("Jobs are described one by one, since listing them is refused: %s", refusal)
            self._do_not_list(DENIED)
        except Exception:
            log.exception("Jobs are described one by one, since listing them has failed")
            self._do_not_list(FAILED)
        return None

    def _do_not_list(self, seconds: float) -> None:
        self._no_sweep_before = self._loop.time() + seconds
