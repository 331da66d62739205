"""Runs a command that must not outlive its parent: `python -I tether.py`, told what to run on standard input.

Its first line is JSON, `{"run": COMMAND, "afterwards": COMMAND or null}`. When standard input ends, the command and all
that it has started is killed. `afterwards` is run in every case, once more where it prints nothing, as what it is to
clean up may only just come to be; then the tether ends with the command's exit status.
Only the standard library is imported here, and nothing of this package: the file is run as it stands.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

_AGAIN_SECONDS = 1.0


def main() -> int:
    """Carry out the order on standard input; the command's exit status."""
    if not (line := sys.stdin.buffer.readline()):
        return 0
    told = json.loads(line)
    process = subprocess.Popen(told["run"], stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_kill_when_parent_ends, args=(process.pid,), daemon=True).start()
    status = process.wait()
    _kill(process.pid)
    if told["afterwards"] and not _printed(told["afterwards"]):
        time.sleep(_AGAIN_SECONDS)
        _printed(told["afterwards"])
    return status if status >= 0 else 128 - status


def _printed(command: list[str]) -> bytes:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    ).stdout


def _kill_when_parent_ends(group: int) -> None:
    # Not sys.stdin, whose lock an exit of the process would wait for.
    while os.read(0, 1024):
        """The parent says nothing more."""
    _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
