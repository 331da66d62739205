"""A handler server in a process of its own, which ends with us and takes nothing of ours with it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import airflow_batchtx
from airflow_batchtx import errors
from airflow_batchtx.modelserver.tethered import last_line

START_SECONDS = 60
GRACE_SECONDS = 5

# What a process needs of this machine. Nothing else passes, so no credentials do, whatever they are called.
HANDED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE", "CUDA_VISIBLE_DEVICES", "AWS_REGION", "AWS_DEFAULT_REGION",
)  # fmt: skip
# HOME has credentials too, and so may the instance that we run on. A container's own environment may undo this.
NO_CREDENTIALS = {
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
# Not -m, which would put the working directory, or PYTHONPATH, which would put our folder, before the standard library.
_BOOT = """
import sys
sys.path[:1] = []
sys.path.append(sys.argv.pop(1))
from airflow_batchtx.modelserver.serve import main
sys.exit(main())
"""


def process_environment(container: Mapping[str, str], host: Mapping[str, str]) -> dict[str, str]:
    """Give a handler process its environment: the container's, over the little that it needs of the host's."""
    handed_on = {name: host[name] for name in HANDED_ON if name in host}
    return {"PYTHONUNBUFFERED": "1", **handed_on, **NO_CREDENTIALS, **container}


class HandlerProcess:
    """A ModelServer whose process leads a group of its own, which ends as a whole.

    Its handler imports from the folder `packages` before it does from this Python.
    """

    def __init__(
        self,
        model_dir: Path,
        log: Path,
        environment: Mapping[str, str],
        *,
        packages: Path | None = None,
        host: Mapping[str, str],
    ) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._swept = False
        self._heard = b""
        self._reports, report = os.pipe()
        os.set_blocking(self._reports, False)
        try:
            environment = process_environment(environment, host)
            self._process = _started(model_dir.resolve(), log, environment, packages, report)
        finally:
            os.close(report)
        port = self._told(wait_seconds=START_SECONDS).get("port")
        if port is None:
            reason = self.ended() or f"The handler server did not start within {START_SECONDS} s"
            self.close()
            raise errors.ModelNotReady(reason)
        self.url = f"http://127.0.0.1:{port}"

    def ended(self) -> str | None:
        """Tell why the server ended by itself, in the handler's own words where it has any; None while it runs."""
        if (status := self._status()) is None:
            return None
        if error := self._told().get("error"):
            return f"The model could not be loaded: {error}"
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        return f"The handler server {how}" + (
            f"; the last line of its log: {last}" if (last := last_line(self._log)) else ""
        )

    def close(self) -> None:
        """End the process and all that it started: SIGTERM, and SIGKILL after a grace."""
        if self._status() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
            self._status()
        with self._lock:
            if self._reports >= 0:
                os.close(self._reports)
                self._reports = -1
        if self._process.stdin:
            self._process.stdin.close()

    def _status(self) -> int | None:
        """Look whether the leader has ended; kill what is left of its group then, once, while its id is still ours."""
        with self._lock:
            status = self._process.poll()
            if status is not None and not self._swept:
                self._swept = True
                self._signal(signal.SIGKILL)
            return status

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
            os.killpg(self._process.pid, number)

    def _told(self, *, wait_seconds: float = 0) -> dict[str, Any]:
        """Give what the process has reported so far, waiting for a report if told so."""
        with self._lock:
            poll = select.poll()
            if self._reports >= 0:
                poll.register(self._reports, select.POLLIN)
            if poll.poll(wait_seconds * 1000):
                self._heard += os.read(self._reports, 64 * 1024)
            told: dict[str, Any] = {}
            for line in self._heard.splitlines():
                told |= json.loads(line)
            return told


def _started(
    model_dir: Path, log: Path, environment: Mapping[str, str], packages: Path | None, report: int
) -> subprocess.Popen[bytes]:
    root = Path(airflow_batchtx.__file__).parent.parent
    options = ["--packages", str(packages.resolve())] if packages else []
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-c", _BOOT, root, "--model-dir", model_dir, "--report-fd", str(report), *options],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=model_dir,
            env=environment,
            pass_fds=(report,),
            start_new_session=True,
        )
