"""Which jobs are looked at next, and how: one by one, or many at once by a listing. Asks nobody, and does not sleep."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import attrgetter
from statistics import mean
from typing import TypeAlias

from airflow_batchtx.control.waiting import Watch
from airflow_batchtx.sagemaker.jobs import Described, Summary
from airflow_batchtx.triggers.calls import TOGETHER

Seen: TypeAlias = Described | Summary

# So many jobs are worth a listing, which comes after that part of their pauses: together they cost little.
CROWD, EARLY = 10, 0.6
# Seconds from the first of a crowd to its first look: Airflow hands its triggers over one by one.
GATHERING, SPREAD = 0.2, 0.4
# A page of a listing earns that many seconds without another listing, up to that part of a pause.
SECONDS_A_PAGE, LONGEST_REST = 3.0, 0.8
# A listing that has to go through many jobs of others ends where describing what is left costs less.
FEW, BARREN_PAGES, JOBS_A_PAGE, WORTHWHILE = 2, 2, 5, 3
# AWS's clock has no part in it: both times are its own.
MARGIN = timedelta(seconds=1)


@dataclass(slots=True, eq=False)
class Waiter:
    """One wait for one job. Times are those of the event loop's clock, which no one sets.

    From `early` on it calls for a listing, from `joins` on a listing takes it along, and at `due` the job is described.
    `missed` tells that the last listing did not find it; `timer` ends the wait at its deadline.
    """

    watch: Watch
    end: asyncio.Future[Seen]
    early: float
    due: float
    created: datetime | None = None
    missed: bool = False
    timer: asyncio.TimerHandle | None = None

    @property
    def joins(self) -> float:
        """When a look is not too early yet."""
        return self.early - (self.due - self.early) / 2

    @classmethod
    def new(cls, watch: Watch, end: asyncio.Future[Seen], now: float) -> Waiter:
        """Begin to wait: the first look comes soon, together with those at jobs that are new as well."""
        early = now + GATHERING
        return cls(watch, end, early, early + SPREAD * watch.chance())

    def look_again(self, now: float, seen: Seen | None) -> None:
        """Plan the next look after one that found the job running, or told nothing."""
        pause = self.watch.pause(seen)
        self.early, self.due = now + pause * EARLY, now + pause
        if seen is not None:
            self.created, self.missed = seen["CreationTime"], False

    def look_soon(self, now: float) -> None:
        """Plan the next look for as soon as AWS may be asked again."""
        self.early = self.due = now


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do until then, unless someone comes."""

    until: float


@dataclass(frozen=True, slots=True)
class Describe:
    """Look at these, one by one."""

    waiters: tuple[Waiter, ...]


@dataclass(slots=True)
class Sweep:
    """Look for these in a listing, which tells of all others too.

    Newest jobs come first, and it ends as soon as it costs more than describing those that are left.
    """

    waiters: frozenset[Waiter]
    pages: int = 0
    barren: int = 0
    left: set[Waiter] = field(init=False)

    def __post_init__(self) -> None:
        self.left = set(self.waiters)

    @property
    def created_after(self) -> datetime | None:
        """No job older than that is looked for; None where that is not known."""
        known = [waiter.created for waiter in self.waiters if waiter.created is not None]
        return min(known) - MARGIN if len(known) == len(self.waiters) else None

    def found(self, waiters: Iterable[Waiter]) -> None:
        """Count a page, on which these were."""
        before = len(self.left)
        self.left.difference_update(waiters)
        self.pages += 1
        self.barren = 0 if len(self.left) < before else self.barren + 1

    @property
    def goes_on(self) -> bool:
        """Whether another page is worth its call."""
        pages, barren = len(self.waiters) // JOBS_A_PAGE, max(len(self.left) // CROWD, BARREN_PAGES)
        return len(self.left) > FEW and self.pages < max(pages, BARREN_PAGES) and self.barren < barren

    @property
    def worthwhile(self) -> bool:
        """Whether it told of enough jobs for its calls."""
        return len(self.waiters) - len(self.left) >= self.pages * WORTHWHILE

    def rest(self) -> float:
        """Give the seconds from its begin to that of the next sweep."""
        usual = mean(waiter.watch.interval for waiter in self.waiters)
        return min(self.pages * SECONDS_A_PAGE, usual * LONGEST_REST)


def next_step(waiters: Collection[Waiter], now: float, next_sweep: float) -> Rest | Describe | Sweep:
    """Decide what to do now. `next_sweep` is when jobs that were seen before may be listed again, inf for not at all.

    A crowd of jobs that nobody has seen yet is listed at once, unless no listing is to be had.
    """
    listable = [waiter for waiter in waiters if not waiter.missed] if next_sweep < math.inf else []
    late = [waiter for waiter in listable if waiter.early <= now]
    unseen = [waiter for waiter in late if waiter.created is None]
    if len(late) >= CROWD and now >= next_sweep:
        return Sweep(frozenset(waiter for waiter in listable if waiter.joins <= now))
    if len(unseen) >= CROWD:
        return Sweep(frozenset(unseen))
    # Jobs that the next sweep will tell of are not described before it.
    alone = [w for w in waiters if w.missed or w.created is None] if len(late) >= CROWD else waiters
    if due := nsmallest(TOGETHER, (waiter for waiter in alone if waiter.due <= now), key=attrgetter("due")):
        return Describe(tuple(due))
    times = [waiter.due for waiter in alone]
    if len(listable) >= CROWD:
        times.append(max(nsmallest(CROWD, (waiter.early for waiter in listable))[-1], next_sweep))
    return Rest(min(times, default=math.inf))
