"""Ends an Airflow for certain: `python -I guard.py HOME`, run beside the tests for as long as they live.

When its standard input ends, because the tests closed it or because their process is gone, whatever runs with
AIRFLOW_HOME=HOME is killed and HOME is removed. Airflow's processes leave their parents, sessions and groups; what they
were started with they cannot leave. Only the standard library is imported here: the file is run as it stands.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_PAUSE = 0.1
# A process that is just being forked is in nobody's list yet: so many looks in a row must find none.
_LOOKS = 3


def processes(home: str) -> list[int]:
    """The processes that run with this AIRFLOW_HOME, read from Linux's /proc."""
    mark = f"AIRFLOW_HOME={home}".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if mark in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


def main() -> None:
    home = sys.argv[1]
    # Whoever ends the tests ends the whole group, and this process is what cleans up afterwards.
    for told in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, signal.SIG_IGN)
    while os.read(0, 1024):
        """The tests say nothing."""
    quiet = 0
    while quiet < _LOOKS:
        alive = processes(home)
        quiet = 0 if alive else quiet + 1
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
