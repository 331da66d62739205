"""How many calls the API takes: a token bucket for each operation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from airflow_batchtx.errors import RequestRefused


class TokenBucket:
    """`rate` tokens a second, at most `burst` of them kept; full at first. `clock` gives seconds that only rise."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._seen = float(burst), clock()

    def take(self) -> bool:
        """Take a token; False if there is none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls a second of one operation, and how many of them may come at once."""

    per_second: float
    burst: int


class Throttle:
    """Admits calls, from any thread; without a rate all of them."""

    def __init__(self, rate: Rate | None, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._lock = threading.Lock()

    def admit(self, region: str, operation: str) -> None:
        """Let a call pass; ThrottlingException where there were too many."""
        if self._rate is None:
            return
        with self._lock:
            new = TokenBucket(self._rate.per_second, self._rate.burst, self._clock)
            if not self._buckets.setdefault((region, operation), new).take():
                raise RequestRefused("ThrottlingException", "Rate exceeded")
