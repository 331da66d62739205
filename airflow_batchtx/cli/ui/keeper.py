"""Keeps a command that must leave nothing behind: `python -I keeper.py SECONDS COMMAND...`, in a session of its own.

When standard input ends, because whoever started it closed it or is gone, the command gets SIGINT, for which `airflow
standalone` ends its parts (for SIGTERM it leaves them), and so many seconds. Then, or once the command has ended by
itself, whatever it has started is killed. Airflow's processes leave their parents, sessions and groups; the mark in
the environment that they were started with they cannot leave. The keeper ends with the command's exit status.
Only the standard library is imported here, and nothing of this package: the file is run as it stands.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "BATCHTX_KEPT"
_PAUSE = 0.1
# A process that is just being forked is in nobody's list yet: so many looks in a row must find none.
_LOOKS = 3


def main() -> int:
    """Keep the command until its end."""
    seconds, *command = sys.argv[1:]
    # What is ignored here would be ignored by the command too: a shell's `&` has SIGINT ignored, for one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    for told in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, signal.SIG_IGN)
    threading.Thread(target=_end_when_told, args=(process, float(seconds)), daemon=True).start()
    status = process.wait()
    _kill_group(process.pid)
    sweep(os.environ[MARK])
    return status if status >= 0 else 128 - status


def sweep(mark: str) -> None:
    """Kill every process but this one that was started with the mark, until there is none."""
    quiet = 0
    while quiet < _LOOKS:
        alive = [pid for pid in marked(mark) if pid != os.getpid()]
        quiet = 0 if alive else quiet + 1
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)


def marked(mark: str) -> Iterator[int]:
    """Yield the processes that were started with the mark; none where there is no /proc, as Linux has it."""
    wanted = f"{MARK}={mark}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if wanted in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)


def _end_when_told(process: subprocess.Popen[bytes], seconds: float) -> None:
    # Not sys.stdin, whose lock an exit of the process would wait for.
    while os.read(0, 1024):
        """There is nothing more to be told."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    _kill_group(process.pid)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
