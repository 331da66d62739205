"""Look after what runs, until a part of it does not any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# Seconds. A machine that was asleep, or is busy, is given time to come to itself.
PAUSE, PATIENCE = 3.0, 30.0


def until_ailing(
    look: Callable[[], Sequence[str]],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    pause: float = PAUSE,
    patience: float = PATIENCE,
) -> tuple[str, ...]:
    """Look every `pause` seconds; name what has ailed at every look of the last `patience` seconds."""
    since: dict[str, float] = {}
    while True:
        now = clock()
        since = {part: since.get(part, now) for part in look()}
        if lasting := tuple(part for part, began in since.items() if now - began >= patience):
            return lasting
        sleep(pause)
