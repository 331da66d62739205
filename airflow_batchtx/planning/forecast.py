"""How far a job is, and how long it may still take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import TypeAlias

# When, in seconds, and how many objects were done then.
Look: TypeAlias = tuple[float, int]

# The latest looks that the rate is taken from: objects come in bursts, and a job's pace changes.
WINDOW = 12


@dataclass(frozen=True, slots=True)
class Progress:
    """Objects that are done, of how many; `seconds_left` is None where nothing can be said yet."""

    done: int
    total: int
    seconds_left: float | None

    def __str__(self) -> str:
        left = f", about {_spoken(self.seconds_left)} left" if self.seconds_left else ""
        return f"{self.done} of {self.total} objects{left}"


def forecast(done: int, total: int, started_at: float, now: float, samples: Sequence[Look] = ()) -> Progress:
    """Tell how far a job is that started at `started_at`, and has done `done` of `total` objects by `now`.

    `samples` are earlier looks, the oldest first; one burst or one pause among the latest moves the forecast little.
    Times are in seconds, all on one clock.
    """
    if done >= total:
        return Progress(done, total, 0.0)
    rate = _rate([(started_at, 0), *samples, (now, done)])
    return Progress(done, total, (total - done) / rate if rate > 0 else None)


def _rate(looks: Sequence[Look]) -> float:
    """Give objects a second: the median over all pairs of the latest looks, or what they are on the whole."""
    recent = _slopes(looks[-WINDOW:])
    steady = median(recent) if recent else 0.0
    return steady if steady > 0 else next(iter(_slopes([looks[0], looks[-1]])), 0.0)


def _slopes(looks: Sequence[Look]) -> list[float]:
    pairs = combinations(looks, 2)
    return [(later[1] - early[1]) / (later[0] - early[0]) for early, later in pairs if later[0] > early[0]]


def _spoken(seconds: float) -> str:
    """Round a time to what a forecast is worth."""
    if seconds < 90:
        return f"{max(round(seconds / 10), 1) * 10} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(round(minutes / 10) * 10, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
