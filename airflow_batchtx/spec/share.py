"""One of several equal shares of a piece of work, each done by a task of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

_TEXT = re.compile(r"\s*(\d{1,5})\s*/\s*(\d{1,5})\s*")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Share:
    """Share `number`, from 1, of so many."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def taken(self, items: Sequence[Item]) -> Sequence[Item]:
        """Give its part of items: every `of`-th of them, so that shares are about equal."""
        return items[self.number - 1 :: self.of]

    def all(self) -> tuple[Share, ...]:
        """Give all shares of the same work."""
        return tuple(Share(number, self.of) for number in range(1, self.of + 1))


def share(value: Any) -> Share:
    """Read a share as text: "2/8" is the second of eight."""
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 1 <= (number := int(found[1])) <= (of := int(found[2])):
        raise ValueError("must say which share of how many, such as 2/8")
    return Share(number, of)
