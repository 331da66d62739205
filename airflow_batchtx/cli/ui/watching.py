"""Look after what runs, until a part of it does not any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping

PAUSE = 3.0
# How long a part may take to come to itself, in seconds: one that nobody finds, and one that is slow or says itself
# that it is not well, as on a machine that is busy or was asleep.
GONE, ILL = 10.0, 120.0


def until_lost(
    ailing: Callable[[], Mapping[str, float]],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    pause: float = PAUSE,
) -> tuple[str, ...]:
    """Look every `pause` seconds which parts ail, and how long they may; name those that have done so at every look."""
    since: dict[str, float] = {}
    while True:
        now, found = clock(), ailing()
        since = {part: since.get(part, now) for part in found}
        if lost := tuple(part for part, began in since.items() if now - began >= found[part]):
            return lost
        sleep(pause)
