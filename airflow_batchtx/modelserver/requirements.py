"""Installs what code/requirements.txt of a model names, into a folder that its handler server alone imports from.

A folder belongs to the content of the requirements, and to the Python: who finds it whole uses it, whoever asks first
installs it. What this Python has already is not installed again, and needs no network.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from airflow_batchtx import errors
from airflow_batchtx.modelserver import contract
from airflow_batchtx.modelserver.alone import alone
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
    target = packages.absolute() / _digest(code)
    with alone(target.with_suffix(".lock")):
        if target.is_dir():
            return target
        if _satisfied(code, target.with_suffix(".report"), environment):
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


def _satisfied(code: Path, report: Path, environment: Mapping[str, str]) -> bool:
    """Tell whether this Python has all of it already; `report` is where pip may write what it finds."""
    command = ["install", "--dry-run", "--no-index", "--no-input", "--report", str(report)]
    report.unlink(missing_ok=True)
    # What it says is no complaint of the model's: the installation that follows has the word.
    status = _pip(command, code, Path(os.devnull), environment)
    found = json.loads(report.read_bytes()) if status == 0 else {"install": True}
    report.unlink(missing_ok=True)
    return not found["install"]


def _install(code: Path, target: Path, log: Path, environment: Mapping[str, str]) -> None:
    half = target.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    command = ["install", "--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    if status := _pip([*command, "--target", str(half)], code, log, environment):
        raise errors.InvalidModelData(_FAILED.format(status=status, said=_complaint(log)))
    half.rename(target)


def _pip(command: Sequence[str], code: Path, log: Path, environment: Mapping[str, str]) -> int:
    """Run a command of pip on the requirements; its exit status. It may ask hosts that hang, and ends with us."""
    whole = [*_PIP, *command, "-r", contract.REQUIREMENTS]
    with closing(Tethered(whole, log=log, environment=environment, folder=code)) as pip:
        return pip.wait()


def _complaint(log: Path) -> str:
    """Find pip's own word of what is wrong, of which the last is the summary."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith("ERROR:")), last_line(log))[:300]


def pip_environment(host: Mapping[str, str]) -> dict[str, str]:
    """Give pip what it needs of this machine: its own settings, the way out, but no credentials of AWS."""
    return {name: value for name, value in host.items() if not name.startswith("AWS_")} | {"PYTHONNOUSERSITE": "1"}
