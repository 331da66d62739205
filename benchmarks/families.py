"""How much memory a command takes together with all processes that it starts."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.processes import MB, ROOT

# Seconds between two looks.
PAUSE = 0.02
_HELD = re.compile(r"VmRSS:\s+(\d+) kB")
_PARENT = re.compile(r"\) \S (\d+) ")


class Failed(Exception):
    """A command that could not do its work."""


def measured(command: Sequence[object], environment: Mapping[str, str] | None = None) -> tuple[str, float]:
    """Run a command, and give what it printed and the most, in MB, that its processes held at a time."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    told = {**os.environ, "PYTHONPATH": path, **(environment or {})}
    held = [0.0]
    ended = threading.Event()
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=told, cwd=ROOT
    ) as process:
        watcher = threading.Thread(target=_watch, args=(process.pid, held, ended), daemon=True)
        watcher.start()
        printed, complained = process.communicate()
        ended.set()
        watcher.join()
    if process.returncode:
        raise Failed(complained.strip()[-2000:])
    return printed, max(held)


def _watch(pid: int, held: list[float], ended: threading.Event) -> None:
    while not ended.wait(PAUSE):
        held[0] = max(held[0], sum(map(_held, (pid, *_below(pid)))))


def _held(pid: int) -> float:
    try:
        found = _HELD.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 / MB if found else 0


def _below(pid: int) -> Iterator[int]:
    """Yield the children of a process, and theirs."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                found = _PARENT.search((entry / "stat").read_text())
            except OSError:
                continue
            if found:
                children.setdefault(int(found[1]), []).append(int(entry.name))
    pending = list(children.get(pid, ()))
    while pending:
        child = pending.pop()
        yield child
        pending += children.get(child, ())
