"""Commands that leave nothing behind, however we or they end."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_batchtx.cli.ui import keeper

# How long a command may take to end by itself, in seconds: Airflow takes eight on an idle machine.
GRACE = 20.0


@contextmanager
def kept(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, grace: float = GRACE
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block is left, and give the process that keeps it and ends with its exit status.

    `log` gets what the command prints. When the block is left, or this process is gone, the command gets SIGINT and
    `grace` seconds; then all that it has started is killed.
    """
    # The title of a process shall not be written over what it was started with: the keeper reads that.
    own = {keeper.MARK: uuid.uuid4().hex, "SPT_NOENV": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", keeper.__file__, str(grace), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**environment, **own},
            start_new_session=True,
        )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()
