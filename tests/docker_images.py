"""A Docker daemon and an image with Python in it, made of the machine's own packages: no image registry is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"
BASE = "batchtx-tests/base"
_DAEMON_SECONDS = 20
_BOOTSTRAP_SECONDS = 480
# The second is for machines that lend us no packet filter; docker's own proxy publishes ports there.
_WAYS: tuple[tuple[str, ...], ...] = ((), ("--iptables=false", "--ip6tables=false"))
_LEFT_OUT = ("var/cache", "var/lib/apt", "usr/share/doc", "usr/share/locale", "usr/share/man", "dev", "proc", "sys")


class NoDocker(Exception):
    """Why this machine cannot run images."""


def docker(*arguments: str, environment: Mapping[str, str] | None = None, seconds: float = 120) -> str:
    """Run a docker command that has to work, and give what it prints."""
    done = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise NoDocker(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def daemon() -> Iterator[str]:
    """Give the DOCKER_HOST of a daemon: the one that runs, or one of our own that ends with the block."""
    if shutil.which("docker") is None:
        raise NoDocker("the docker command is not installed")
    try:
        docker("version", seconds=10)
    except NoDocker as error:
        if os.geteuid() or shutil.which("dockerd") is None:
            raise NoDocker(
                f"no daemon runs, and only root can start one where dockerd is installed ({error})"
            ) from error
    else:
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="btx", dir="/tmp", ignore_cleanup_errors=True) as folder:
        process = _started(Path(folder))
        try:
            yield f"unix://{folder}/s"
        finally:
            process.terminate()
            process.wait(30)


def _started(folder: Path) -> subprocess.Popen[bytes]:
    said = ""
    for way in _WAYS:
        with (folder / "log").open("wb") as log:
            command = ["dockerd", "--host", f"unix://{folder}/s", "--data-root", f"{folder}/data"]
            command += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid", *way]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _DAEMON_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if _answers(f"unix://{folder}/s"):
                return process
            time.sleep(0.2)
        process.kill()
        process.wait()
        said = (folder / "log").read_text(errors="replace").strip().rpartition("\n")[2]
    raise NoDocker(f"dockerd does not run here: {said}")


def _answers(host: str) -> bool:
    try:
        docker("version", environment={"DOCKER_HOST": host}, seconds=10)
    except NoDocker:
        return False
    return True


def image(host: str, name: str, serve: str) -> None:
    """Make an image whose `serve` is the given Python program."""
    there = {"DOCKER_HOST": host}
    docker("import", str(base_archive()), BASE, environment=there)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "serve"
        program.write_text(f"#!/usr/bin/python3\n{serve}")
        program.chmod(0o755)
        container = docker("create", BASE, "true", environment=there)
        docker("cp", str(program), f"{container}:/usr/local/bin/serve", environment=there)
        docker("commit", container, name, environment=there)
        docker("rm", container, environment=there)


def base_archive() -> Path:
    """Give a tar of a small Debian with Python, bootstrapped once and kept for all runs."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airflow-batchtx" / f"{SUITE}-python.tar"
    if kept.exists():
        return kept
    if os.geteuid() or shutil.which("debootstrap") is None:
        raise NoDocker("the base image is made by debootstrap, as root, and is not installed here")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        command = ["debootstrap", "--variant=minbase", "--include=python3", SUITE, f"{folder}/root"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_BOOTSTRAP_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise NoDocker(f"debootstrap took more than {_BOOTSTRAP_SECONDS} s") from error
        if done.returncode:
            raise NoDocker(f"debootstrap failed: {done.stdout.strip().rpartition(chr(10))[2]}")
        without = [f"--exclude=./{path}/*" for path in _LEFT_OUT]
        subprocess.run(["tar", "-C", f"{folder}/root", *without, "-cf", f"{folder}/tar", "."], check=True)
        Path(folder, "tar").rename(kept)
    return kept


if __name__ == "__main__":
    try:
        print(base_archive())
    except NoDocker as reason:
        print(f"no base image: {reason}")
