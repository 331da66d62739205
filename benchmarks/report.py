"""What benchmarks are asked, and what they tell: tables that are shown, written as JSON or kept in docs."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

Cell = str | float | None


@dataclass(frozen=True)
class Options:
    """How much is measured: sizes of data, rounds of every measurement, and where downloads are kept."""

    megabytes: int
    objects: int
    rows: int
    rounds: int
    cache: Path


@dataclass(frozen=True)
class Table:
    """Figures with a title; the first column names what was measured."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        head = [f"| {' | '.join(self.columns)} |", f"|---{'|--:' * (len(self.columns) - 1)}|"]
        body = [f"| {' | '.join(map(shown, row))} |" for row in self.rows]
        return "\n".join([f"## {self.title}", "", *head, *body, *(f"\n{note}" for note in self.notes)])


def shown(cell: Cell) -> str:
    """Write a figure with three digits that count."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"


def verdict(found: float, goal: float, *, at_most: bool = False) -> str:
    """Say whether a goal is met, and by how much it is missed."""
    if (found <= goal) if at_most else (found >= goal):
        return "met"
    return f"missed by {shown(abs(found - goal))}"


def skipped(title: str, reason: str) -> Table:
    """Say that a measurement could not be made."""
    return Table(title, ("skipped",), ((reason,),))


def document(tables: Sequence[Table], options: Options, command: str) -> str:
    """Write a page of all tables: how they came about, which goals are missed, the figures."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("boto3", "moto", "pyarrow"))
    missed = [
        f"- {table.title}: {row[0]}, {cell}"
        for table in tables
        for row in table.rows
        for cell in row
        if isinstance(cell, str) and cell.startswith("missed")
    ]
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    machine = f"{os.cpu_count()} cores ({_processor()}), load {loads} at the end, {platform.system()}"
    sizes = (
        f"{options.megabytes} MB in a large object, {options.objects:,} small objects,"
        f" {options.rows:,} rows of a table, {options.rounds} rounds"
    )
    lines = [
        "# Benchmarks\n",
        f"Written by `{command}` on {datetime.now(timezone.utc):%Y-%m-%d}; not by hand.\n",
        f"{machine}, Python {platform.python_version()}, {versions}. {sizes}.\n",
        *(["Goals that this run missed:\n", *missed] if missed else ["This run met all goals."]),
        *(f"\n{table.markdown()}" for table in tables),
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", told.read_text()) if told.exists() else None
    return found[1] if found else platform.machine()


def print_all(tables: Iterable[Table]) -> None:
    """Show tables as they come."""
    from rich.console import Console
    from rich.table import Table as Shown

    console = Console()
    for table in tables:
        drawn = Shown(title=table.title, caption="\n".join(table.notes), title_justify="left", caption_justify="left")
        for number, column in enumerate(table.columns):
            drawn.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            drawn.add_row(*map(shown, row))
        console.print(drawn)
