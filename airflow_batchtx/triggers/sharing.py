"""What triggers share: those in one event loop that reach AWS in the same way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

Forget = Callable[[], None]

_shared: dict[tuple[asyncio.AbstractEventLoop, Hashable], Any] = {}


def shared(name: Hashable, make: Callable[[Forget], T]) -> T:
    """Give what the loop that runs has under this name; `make` is called where that is nothing.

    It is kept until it is forgotten, which the function that `make` is given does, or until the loop is closed.
    """
    for known in [key for key in list(_shared) if key[0].is_closed()]:
        _shared.pop(known, None)
    key = (asyncio.get_running_loop(), name)

    def forget() -> None:
        if _shared.get(key) is made:
            del _shared[key]

    made = _shared[key] if key in _shared else make(forget)
    _shared[key] = made
    return cast("T", made)


class Once(Generic[T]):
    """Makes something when it is first asked for, in whichever thread that is; never twice."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """Give it."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]
