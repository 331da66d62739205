"""What people see while a job runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from airflow_batchtx.control.assignment import Started
from airflow_batchtx.control.counting import Counting
from airflow_batchtx.control.datalog import cleaned
from airflow_batchtx.control.following import Follower
from airflow_batchtx.control.services import Services
from airflow_batchtx.sagemaker.jobs import Described

Report = Callable[["Described | None"], None]

# Seconds between two listings of the output prefix, for one who sits before the screen.
INTERVAL = 5.0


@dataclass(frozen=True, slots=True)
class Screen:
    """A console that shows how jobs go on; `quiet` shows nothing of it, `logs` what their containers print."""

    console: Console
    quiet: bool = False
    logs: bool = False

    @contextmanager
    def following(self, services: Services, started: Started) -> Iterator[Report]:
        """Show one job until the block ends; what it gives is called after each look at the job."""
        if self.quiet:
            yield lambda _: None
        elif self.console.is_terminal:
            with self._bar(services, started) as report:
                yield report
        else:
            follower = Follower.of(services, started.job_name, started.folder, logs=self.logs)
            yield lambda seen: self._print(follower.lines(seen))

    @contextmanager
    def _bar(self, services: Services, started: Started) -> Iterator[Report]:
        # Without a folder the follower counts nothing: the bar does.
        follower = Follower.of(services, started.job_name, None, logs=self.logs)
        counting = Counting(services, started.job_name, started.folder, INTERVAL)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
        with Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True) as progress:
            bar = progress.add_task(started.job_name, total=None, told="provisioning")

            def report(seen: Described | None) -> None:
                self._print(follower.lines(seen))
                if how_far := counting.progress():
                    progress.update(bar, completed=how_far.done, total=how_far.total, told=str(how_far))

            yield report

    def _print(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.console.print(Text(cleaned(line)), soft_wrap=True)
