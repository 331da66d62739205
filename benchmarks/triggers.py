"""Deferred tasks by the hundred: our trigger against the amazon provider's, on the same server.

The server, which answers for the jobs, and the triggerer have a process each. All triggers start at once, on jobs that
were created just before; once each job has been looked at, comes a minute in which none ends, and then all of them end
within a minute, at random times.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import ACCESS, ROOT, Unavailable, installed
from benchmarks.report import Cell, Options, Table, shown, skipped, verdict

COUNTS = (300, 1000)
# Seconds: the time in which jobs end, and after which a run is over whatever is left.
ENDS, BOUND = 60.0, 400.0
THROTTLED = 2.0
# Milliseconds of a stall at which Airflow's triggerer warns of badly written triggers.
MEMORY_GOAL, STALL_GOAL, CALLS_GOAL = 40.0, 200.0, 20.0
REQUIREMENTS = ROOT / "tests" / "clients" / "requirements-aiobotocore.txt"


@dataclass(frozen=True)
class Run:
    """What one triggerer took for its tasks; times in seconds, memory in MB."""

    tasks: int
    fired: int
    memory: float
    stall: float
    collected: float
    seconds: float
    calls: int
    throttled: int
    all_seen: float | None
    per_minute: float
    delays: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.delays)

    @property
    def longest(self) -> float:
        return max(self.delays)


@contextmanager
def server(ends: list[float], rate: float | None) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.jobs_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"ends": ends, "rate": rate}) + "\n")
            process.stdin.flush()
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def asked(url: str, data: bytes | None = None) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, data, timeout=30) as answer:
        return json.load(answer)


def measured(way: str, tasks: int, *, packages: Path | None, rate: float | None = None, bound: float = BOUND) -> Run:
    numbers = random.Random(tasks)
    ends = [numbers.uniform(0, ENDS) for _ in range(tasks)]
    with server(ends, rate) as url, triggerer(url, packages) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"way": way, "tasks": tasks, "seconds": bound}) + "\n")
        process.stdin.flush()
        if not any(line.strip() == "ready" for line in iter(process.stdout.readline, "")):
            raise RuntimeError(f"the triggerer of {way} did not start")
        asked(f"{url}/begin", b"")
        process.stdin.write("go\n")
        process.stdin.flush()
        took = next(json.loads(line) for line in process.stdout if line.startswith("{"))
        told = asked(f"{url}/told")
    if took["errors"]:
        raise RuntimeError(f"triggers of {way} failed: {took['errors']}")
    events = {int(name.removeprefix("job-")): time for name, time in took["events"].items()}
    return Run(
        tasks=tasks,
        fired=len(events),
        memory=took["memory"],
        stall=took["stall"],
        collected=took["collected"],
        seconds=took["seconds"],
        calls=told["calls"],
        throttled=told["throttled"],
        all_seen=told["all_seen"],
        per_minute=told["quiet_calls"],
        delays=[time - told["ends"] - ends[number] for number, time in events.items()],
    )


@contextmanager
def triggerer(url: str, packages: Path | None) -> Iterator[subprocess.Popen[str]]:
    """Start a triggerer; aiobotocore needs a botocore older than ours, so its packages come first in its process."""
    path = os.pathsep.join(str(each) for each in (packages, ROOT) if each is not None)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW"))},
        "PYTHONPATH": path,
        "AIRFLOW_HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": ACCESS["region_name"],
        "AWS_ACCESS_KEY_ID": ACCESS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ACCESS["aws_secret_access_key"],
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "benchmarks.triggering"]
    streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, cwd=ROOT, env=environment, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def measure(options: Options) -> Iterator[Table]:
    packages = None
    try:
        python = installed(options.cache, "aiobotocore", "--requirement", str(REQUIREMENTS))
        (packages,) = python.parents[1].glob("lib/python3*/site-packages")
    except Unavailable as reason:
        yield skipped("The amazon provider's trigger", str(reason))
    for tasks in COUNTS:
        theirs = measured("amazon", tasks, packages=packages) if packages else None
        yield compared(measured("ours", tasks, packages=None), theirs)
    yield throttled(measured("ours", max(COUNTS), packages=None, rate=THROTTLED))


FIGURES: tuple[tuple[str, Callable[[Run], float | None], float | None], ...] = (
    ("memory added, MB", lambda run: run.memory, MEMORY_GOAL),
    ("worst stall of the event loop, ms", lambda run: run.stall * 1000, STALL_GOAL),
    ("longest garbage collection, ms", lambda run: run.collected * 1000, None),
    ("s until each job was looked at", lambda run: run.all_seen, None),
    ("calls a minute", lambda run: run.per_minute, None),
    ("calls until the end", lambda run: run.calls, None),
    ("s from a job's end to its event, median", lambda run: run.median, None),
    ("the longest", lambda run: run.longest, None),
    ("events", lambda run: run.fired, None),
)


def compared(ours: Run, theirs: Run | None) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, of(ours), of(theirs) if theirs else None, *judged(of(ours), goal)) for name, of, goal in FIGURES
    ]
    if theirs:
        # Of the whole run: amazon's tasks look in step, so that a minute sees each of them once or twice by chance.
        fewer = theirs.calls / ours.calls
        rows.append(("times fewer calls", fewer, None, shown(CALLS_GOAL), verdict(fewer, CALLS_GOAL)))
        rows.append(("median no later", ours.median, theirs.median, *judged(ours.median, theirs.median)))
    note = (
        f"Looks are 30 s apart at most. Calls a minute are those of the minute between the first look at each job and"
        f" the first end; then jobs end within {ENDS:.0f} s. A stall does not count for how long the machine gave the"
        " process no processor; Airflow warns of 200 ms. All triggers start at once here, and 50 a second in Airflow."
    )
    return Table(f"{ours.tasks:,} deferred tasks", ("figure", "ours", "amazon's", "goal", ""), tuple(rows), (note,))


def judged(found: float | None, goal: float | None) -> tuple[str, str]:
    if found is None or goal is None:
        return "", ""
    return shown(goal), verdict(found, goal, at_most=True)


def throttled(run: Run) -> Table:
    columns = ("figure", "ours", "goal", "")
    figures: list[tuple[Cell, ...]] = [
        ("events", run.fired, shown(run.tasks), verdict(run.fired, run.tasks)),
        ("s from a job's end to its event, median", run.median, "", ""),
        ("the longest", run.longest, "", ""),
        ("calls a minute", run.per_minute, "", ""),
        ("calls until the end", run.calls, "", ""),
        ("of them throttled", run.throttled, "", ""),
    ]
    note = f"The server takes {THROTTLED:.0f} calls a second; else as above."
    return Table(f"{run.tasks:,} deferred tasks, throttled", columns, tuple(figures), (note,))
