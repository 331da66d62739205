"""Commands on a tether: they end when we do, however that happens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from airflow_batchtx.modelserver import tether


class Tethered:
    """A command that runs now; `log` gets what it prints.

    When it ends, or is ended, by us or because this process is gone, the command `afterwards` is run.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        folder: Path | None = None,
        afterwards: Sequence[str] | None = None,
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", tether.__file__],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        assert self._process.stdin
        order = {"run": list(command), "afterwards": list(afterwards) if afterwards else None}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def status(self) -> int | None:
        """Tell the command's exit status; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Give the command's exit status once it has ended."""
        return self._process.wait()

    def close(self) -> None:
        """End the command, and return when all is cleaned up; a second call does nothing."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def last_line(log: Path) -> str:
    """Give the last line of a log, empty where there is none."""
    return log.read_bytes().rstrip().rpartition(b"\n")[2].decode(errors="replace")
