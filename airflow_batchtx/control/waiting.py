"""How a job is waited for, on a worker and in a triggerer alike. Neither sleeps here, nor asks anyone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from airflow_batchtx.errors import InvalidInput, JobTimedOut, Problem, refuse
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.lifecycle import is_final
from airflow_batchtx.spec.options import Option, duration, read_options

# Seconds; real jobs take minutes to get their instances.
POLL_INTERVAL = 30.0
# A job is looked at more often while it is young: it may be a small one, on the local engine.
SHORTEST_PAUSE, SHARE_OF_AGE = 1.0, 0.25
LONGEST_BACKOFF = 300.0

_INTERVAL = {"poll_interval": Option(duration, "Give seconds, such as 30, or a timedelta.")}


def read_interval(value: Any) -> float:
    """Read the longest pause between two looks at a job, in seconds; InvalidInput where it is no time span above 0."""
    known, problems = read_options(_INTERVAL, {"poll_interval": value})
    refuse(InvalidInput, "wait for a job", problems)
    return float(known["poll_interval"])


def ended(seen: Described | None) -> TypeGuard[Described]:
    """Tell whether a look at a job found it ended; None is a look that failed."""
    return seen is not None and is_final(seen["TransformJobStatus"])


def waited(
    look: Callable[[], Described | None],
    watch: Watch,
    *,
    sleep: Callable[[float], None],
    report: Callable[[Described | None], None] = lambda _: None,
) -> Described:
    """Look at a job until it has ended, and `report` each look that finds it running; JobTimedOut at the deadline.

    The job is looked at once at least. Looks that fail never end the wait before its time.
    """
    while not ended(seen := look()):
        report(seen)
        sleep(watch.pause(seen))
    return seen


def named(job: Any) -> str:
    """Give the name of a job that is named, or given as the result of its task; InvalidInput for anything else."""
    name = job.get("job_name") if isinstance(job, Mapping) else job
    if not isinstance(name, str) or not name:
        remedy = "Give a name, or what a BatchTransformOperator returned, such as run.output."
        raise InvalidInput("transform job", (Problem("job_name", name, "is no name of a transform job", remedy),))
    return name


@dataclass(slots=True, kw_only=True)
class Watch:
    """Says when to look at a job again.

    `deadline` is on `clock`, in seconds since the epoch, so that it outlives the process; None is no deadline.
    `interval` is the longest pause while all is well, `chance` gives numbers from 0 to 1 for jitter.
    """

    job_name: str
    interval: float
    deadline: float | None
    clock: Callable[[], float]
    chance: Callable[[], float]
    began: float = field(init=False)
    misses: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def pause(self, seen: Described | None) -> float:
        """Give the seconds until the next look, after one that found no end; JobTimedOut at the deadline.

        A look that failed never ends the wait: the pause doubles, up to five minutes.
        """
        now = self.clock()
        if self.deadline is not None and now >= self.deadline:
            raise JobTimedOut(self.job_name, max(now - self.began, 0.0))
        pause = self._steady(now, seen) if seen is not None else self._backoff()
        return pause if self.deadline is None else min(pause, self.deadline - now)

    def _steady(self, now: float, seen: Described) -> float:
        self.misses = 0
        age: float = now - seen["CreationTime"].timestamp()
        return min(self.interval, max(SHORTEST_PAUSE, age * SHARE_OF_AGE)) * (0.9 + 0.2 * self.chance())

    def _backoff(self) -> float:
        self.misses = min(self.misses + 1, 16)
        longest = min(self.interval * 2.0**self.misses, max(LONGEST_BACKOFF, self.interval))
        return longest * (0.5 + 0.5 * self.chance())
