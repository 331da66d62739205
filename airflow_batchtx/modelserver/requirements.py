"""Installs what code/requirements.txt of a model names, into a folder that its handler server alone imports from.

A folder belongs to the content of the requirements, and to the Python: who finds it whole uses it, whoever asks first
installs it. What this Python has already is not installed again, and needs no network.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from airflow_batchtx import errors
from airflow_batchtx.modelserver import contract
from airflow_batchtx.modelserver.tethered import Tethered, last_line

# Of a path: not a folder of ours, nor the working directory, may stand before pip's own modules.
_PIP = (sys.executable, "-I", "-m", "pip")
_FAILED = "code/requirements.txt could not be installed (pip ended with exit status {status}): {said}"
# Lines that may speak of files beside requirements.txt, whose content counts then.
_LOCAL = ("-", "./", "../", "/", "file:")


def installed(model_dir: Path, packages: Path, log: Path, environment: Mapping[str, str]) -> Path | None:
    """Give the folder with what the model's code/requirements.txt names, installed below `packages` by now.

    None where there is no such file, or nothing to install. InvalidModelData where pip fails; what it says is in `log`.
    """
    code = model_dir / contract.CODE_FOLDER
    if not (code / contract.REQUIREMENTS).is_file():
        return None
    target = packages / _digest(code)
    packages.mkdir(parents=True, exist_ok=True)
    with _alone(target.with_suffix(".lock")):
        if target.is_dir():
            return target
        if _satisfied(code, environment):
            return None
        _install(code, target, log, environment)
    return target


def _digest(code: Path) -> str:
    """Name the content of the requirements: of all files, if the requirements may be about files."""
    text = (code / contract.REQUIREMENTS).read_bytes()
    digest = hashlib.sha256(f"{sys.implementation.cache_tag} {sysconfig.get_platform()} ".encode() + text)
    if any(_is_local(line.strip()) for line in text.decode(errors="replace").splitlines()):
        for path in sorted(path for path in code.rglob("*") if path.is_file()):
            digest.update(f"\0{path.relative_to(code)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def _is_local(line: str) -> bool:
    return line.startswith(_LOCAL) or line.endswith((".whl", ".tar.gz", ".zip")) or " @ " in line


def _satisfied(code: Path, environment: Mapping[str, str]) -> bool:
    """Tell whether this Python has all of it already."""
    command = [*_PIP, "install", "--dry-run", "--no-index", "--quiet", "--report", "-", "-r", contract.REQUIREMENTS]
    done = subprocess.run(command, cwd=code, env=dict(environment), capture_output=True, check=False)
    return done.returncode == 0 and not json.loads(done.stdout)["install"]


def _install(code: Path, target: Path, log: Path, environment: Mapping[str, str]) -> None:
    half = target.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    command = [*_PIP, "install", "--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    pip = Tethered(
        [*command, "--target", str(half), "-r", contract.REQUIREMENTS], log=log, environment=environment, folder=code
    )
    try:
        if status := pip.wait():
            raise errors.InvalidModelData(_FAILED.format(status=status, said=_complaint(log)))
    finally:
        pip.close()
    half.rename(target)


def _complaint(log: Path) -> str:
    """Find pip's own word of what is wrong, of which the last is the summary."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith("ERROR:")), last_line(log))[:300]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out of the block; the lock ends with the process, so no death leaves it behind."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pip_environment(host: Mapping[str, str]) -> dict[str, str]:
    """Give pip what it needs of this machine: its own settings, the way out, but no credentials of AWS."""
    return {name: value for name, value in host.items() if not name.startswith("AWS_")} | {"PYTHONNOUSERSITE": "1"}
