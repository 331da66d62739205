"""What a process and all below it use of this machine, as Linux tells it in /proc."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

# CloudWatch has a point a minute for each instance.
PERIOD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu` in percent of one core, so 0 to 100 x cores; `memory` in percent of the machine's."""

    cpu: float
    memory: float

    def to_json(self) -> str:
        """Write the usage on one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Usage:
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))


class Meter:
    """Measures the process `pid` and its descendants; `clock` gives seconds that only rise."""

    def __init__(self, pid: int, proc: Path = Path("/proc"), clock: Callable[[], float] = time.monotonic) -> None:
        self._pid, self._proc, self._clock = pid, proc, clock
        self._since, (self._ticks, _) = clock(), self._sums()

    def read(self) -> Usage | None:
        """Measure the CPU since the last reading and the memory now; None where there is no /proc."""
        now, (ticks, pages) = self._clock(), self._sums()
        total = self._memory()
        if not total or now <= self._since:
            return None
        # A child that ended unseen takes its time with it: the sum may shrink.
        seconds = max(0, ticks - self._ticks) / os.sysconf("SC_CLK_TCK")
        cpu = 100 * seconds / (now - self._since)
        self._since, self._ticks = now, ticks
        return Usage(cpu, min(100.0, 100 * pages * os.sysconf("SC_PAGE_SIZE") / total))

    def _sums(self) -> tuple[int, int]:
        """Sum the ticks and the resident pages of all processes of the tree."""
        found = dict(self._processes())
        tree, todo = set(), [self._pid]
        while todo:
            parent = todo.pop()
            tree.add(parent)
            todo += [pid for pid, process in found.items() if process.parent == parent and pid not in tree]
        own = [found[pid] for pid in tree if pid in found]
        return sum(process.ticks for process in own), sum(process.pages for process in own)

    def _processes(self) -> Iterator[tuple[int, _Process]]:
        for path in self._proc.glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                yield int(path.name), _process((path / "stat").read_text())

    def _memory(self) -> int:
        """Give the machine's memory in bytes, 0 where it is not told."""
        with suppress(OSError):
            for line in (self._proc / "meminfo").read_text().splitlines():
                if line.startswith("MemTotal:"):
                    return int(line.split()[1]) * 1024
        return 0


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    ticks: int
    pages: int


def _process(stat: str) -> _Process:
    """Read a line of /proc/<pid>/stat; the name in it may hold anything, so only what follows it counts."""
    fields = stat.rpartition(")")[2].split()
    # proc(5), fields 4; 14 to 17 (own and waited-for children's time, user and system); 24
    return _Process(int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]))


@contextmanager
def metered(tell: Callable[[Usage], None], period: float = PERIOD_SECONDS) -> Iterator[None]:
    """Tell what this process and those below it use, every `period` seconds and at the end of the block."""
    meter, ended = Meter(os.getpid()), threading.Event()

    def read() -> None:
        if (usage := meter.read()) is not None:
            with suppress(BrokenPipeError):
                tell(usage)

    def watch() -> None:
        while not ended.wait(period):
            read()

    thread = threading.Thread(target=watch, name="meter", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        read()
