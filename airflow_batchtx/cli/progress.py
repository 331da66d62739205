"""A bar of bytes that are done, of all: on a terminal only, and below what is logged meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Report: TypeAlias = Callable[[int, int], None]


@contextmanager
def bar(console: Console, what: str, *, quiet: bool = False) -> Iterator[Report]:
    """Show how far some work is until the block ends; what it gives is told the bytes that are done, and all bytes."""
    if quiet or not console.is_terminal:
        yield lambda _, __: None
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
        TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        shown = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(shown, completed=done, total=total)
