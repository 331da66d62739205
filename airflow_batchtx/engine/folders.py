"""Where in an engine's home the things of a job lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_batchtx.engine.registry import Job


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The folder of one job; names are told apart whatever their case, so it has that of the ARN."""

    path: Path

    @classmethod
    def of(cls, home: Path, job: Job) -> JobFolder:
        """Give a job's folder in an engine's home."""
        return cls(home / "jobs" / job.region / job.name.lower())

    @classmethod
    def all(cls, home: Path) -> Iterator[JobFolder]:
        """Give the folders of all jobs that an engine's home ever had."""
        return map(cls, home.glob("jobs/*/*"))

    @property
    def logs(self) -> Path:
        """What containers print, and the data logs."""
        return self.path / "logs"

    @property
    def work(self) -> Path:
        """What a running job needs; it ends with the job."""
        return self.path / "work"

    @property
    def objects(self) -> Path:
        """The job's work list."""
        return self.path / "objects.jsonl"
