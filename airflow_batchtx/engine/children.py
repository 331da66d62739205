"""Processes that never outlive their parent: their standard input is a pipe, and they end when it does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import airflow_batchtx

# How long a child may take to end by itself, in seconds.
GRACE = 5.0


class Child:
    """`python -m module` as a child process that is told things on its stdin and tells them on its stdout."""

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        package = str(Path(airflow_batchtx.__file__).parents[1])
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **(environment or {})},
            # A Ctrl-C in the terminal is for the parent alone.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def tell(self, line: str) -> None:
        """Send a line; a child that is gone already hears nothing."""
        stdin = self._stdin
        try:
            stdin.write(f"{line}\n".encode())
            stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def told(self) -> Iterator[str]:
        """Yield the lines that the child tells, until it ends."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                yield line.decode()

    def dismiss(self) -> None:
        """Ask the child to end: its stdin ends."""
        try:
            self._stdin.close()
        except BrokenPipeError:
            return  # it did not even read its last line

    def end(self) -> None:
        """End the child within the time of grace, by force if need be."""
        self.dismiss()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _stdin(self) -> BinaryIO:
        assert self._process.stdin is not None
        return self._process.stdin  # type: ignore[return-value]  # typeshed says IO[bytes]


def when_parent_ends(act: Callable[[], None]) -> None:
    """In a child: call `act` from a thread of its own once standard input has ended."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        act()

    threading.Thread(target=watch, name="parent", daemon=True).start()
