"""How often each operation of the API was called, so that tests and users can see what their own code asks for."""

from __future__ import annotations

import threading
from collections import Counter


class Calls:
    """Counts calls by Region and operation, from any thread, for as long as the engine runs."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def note(self, region: str, operation: str) -> None:
        """Count one more call, whatever becomes of it."""
        with self._lock:
            self._counts[region, operation] += 1

    def counts(self) -> dict[str, dict[str, int]]:
        """Give the count of each operation that was called, in the order of Regions and names."""
        with self._lock:
            noted = sorted(self._counts.items())
        found: dict[str, dict[str, int]] = {}
        for (region, operation), count in noted:
            found.setdefault(region, {})[operation] = count
        return found
