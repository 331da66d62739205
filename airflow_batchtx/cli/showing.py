"""How commands show what they have found: tables for people, JSON for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import is_final
from airflow_batchtx.spec.result import TransformResult

COLOURS: Mapping[str, str] = {
    JobStatus.COMPLETED: "green",
    JobStatus.IN_PROGRESS: "cyan",
    JobStatus.STOPPING: "yellow",
    JobStatus.STOPPED: "yellow",
    JobStatus.FAILED: "red",
}
_LEVELS = {logging.WARNING: "yellow", logging.ERROR: "red"}


def as_json(value: Any) -> None:
    """Print a value for machines, on standard output."""
    typer.echo(json.dumps(value, indent=1, default=_text))


def _text(value: Any) -> str:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


def fields(rows: Mapping[str, Any]) -> None:
    """Print names with their values, those that are not known left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value not in (None, ""):
            table.add_row(name, value if isinstance(value, Text) else Text(str(value)))
    Console().print(table)


def listed(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print a table; on a pipe as wide as it needs to be."""
    console = Console()
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    wide = max(console.width, console.measure(table).maximum) if not console.is_terminal else None
    console.print(table, width=wide, crop=wide is None, soft_wrap=False)


def status_of(status: str) -> Text:
    """Colour a job's status."""
    return Text(status, style=COLOURS.get(status, ""))


def result_rows(result: TransformResult, now: float | None = None) -> dict[str, Any]:
    """Say for people what there is to say of a job; of one that runs, by `now` in seconds since the epoch."""
    money = f"{result.cost:.4f} {result.currency} (price of {result.priced})" if result.cost is not None else None
    on = f"{result.instance_count} x {result.instance_type}"
    provisioning, running = duration(result.provisioning_seconds), duration(result.transform_seconds)
    if now is not None and result.ended is None and not is_final(result.status):
        so_far = f"{duration(max(now - _moment(result.started or result.created), 0.0))} so far"
        provisioning, running = (provisioning, so_far) if result.started else (so_far, None)
    return {
        "Job": result.job_name,
        "Status": status_of(result.status),
        "Created": result.created,
        "Provisioning": provisioning,
        "Transform": f"{running} on {on}" if running else on,
        "Cost": money,
        "Objects": _objects(result),
        "Attempts": result.attempts if result.attempts > 1 else None,
        "Model": result.model_name,
        "Input": result.input,
        "Output": result.output,
        "Record": result.record,
    }


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _objects(result: TransformResult) -> str | None:
    if result.objects is None:
        return None
    return f"{result.objects_done} of {result.objects}" if result.objects_done is not None else f"{result.objects}"


def duration(seconds: float | None) -> str | None:
    """Write a time span for people: `42 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None:
        return None
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(size: float) -> str:
    """Write a size for people, in the units that AWS's MB is one of."""
    for unit, digits in (("bytes", 0), ("KB", 1), ("MB", 1)):
        if size < 1024:
            return f"{size:,.{digits}f} {unit}"
        size /= 1024
    return f"{size:,.1f} GB"


def counted(number: int, word: str) -> str:
    """Write a number of things."""
    return f"{number:,} {word}{'s' * (number != 1)}"


class _Lines(logging.Handler):
    """Shows log lines on a console, which may have a progress bar below them."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = _LEVELS.get(record.levelno)
        self._console.print(Text(record.getMessage(), style=style or "dim"), soft_wrap=True)


@contextmanager
def telling(console: Console, level: int = logging.WARNING) -> Iterator[None]:
    """Show on a console what this package logs."""
    logger, handler = logging.getLogger("airflow_batchtx"), _Lines(console)
    before, propagated = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagated
