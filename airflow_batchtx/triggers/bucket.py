"""How often AWS is asked: one token bucket for all calls that are made over a client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# Calls that one second without any leaves to be made at once.
REST = 1.0
# Halved once for all calls that were under way together; a twentieth of the rate is what an outage gets.
ONCE_IN, SLOWEST = 1.0, 0.05
# After so many good calls the rate is where it was.
RECOVERY = 100
JITTER = 0.2


@dataclass(slots=True, kw_only=True)
class Bucket:
    """Gives out the times at which calls may be made: at most `rate` a second, fewer after AWS has throttled some.

    In any `t` seconds there are no more than `rate * (t + 1) + 1`. `clock` gives seconds that only rise, `chance`
    numbers from 0 to 1: they keep the processes of a deployment from asking in step.
    """

    rate: float
    clock: Callable[[], float]
    chance: Callable[[], float]
    pace: float = field(init=False)  # calls a second just now
    _next: float = field(init=False)  # when the next call were due if none came early
    _slowed: float = field(init=False)

    def __post_init__(self) -> None:
        self.pace, self._next, self._slowed = self.rate, self.clock(), -ONCE_IN

    def reserve(self) -> float:
        """Take the next call's turn; gives the seconds to wait for it."""
        now = self.clock()
        due = max(self._next, now)
        self._next = due + (1 + JITTER * self.chance()) / self.pace
        return max(due - REST - now, 0.0) if self.pace == self.rate else due - now

    def slow_down(self) -> None:
        """Halve the rate: a call was throttled, or not answered."""
        now = self.clock()
        if now - self._slowed < ONCE_IN:
            return
        self._slowed = now
        self.pace = max(self.pace / 2, self.rate * SLOWEST)
        self._next = max(self._next, now + 1 / self.pace)

    def recover(self) -> None:
        """Let the rate rise a little: a call was answered."""
        self.pace = min(self.pace + self.rate / RECOVERY, self.rate)
