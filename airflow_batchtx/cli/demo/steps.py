"""One line a step, as people see a command that takes many."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Steps:
    """Prints one line for each step that is done, with its time; a spinner while it runs."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do one step."""
        began = time.monotonic()
        with self.console.status(name):
            yield
        self.done(name, f"{time.monotonic() - began:.1f} s")

    def follow(self, names: Iterator[str]) -> None:
        """Run a generator that names each of its steps before it does it."""
        name = next(names, None)
        while name is not None:
            with self.step(name):
                following = next(names, None)
            name = following

    def done(self, name: str, detail: str) -> None:
        """Tell a step that is done."""
        self.console.print(f"[green]\N{CHECK MARK}[/] {name} [dim]{detail}[/]", highlight=False)
