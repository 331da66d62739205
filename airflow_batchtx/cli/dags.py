"""The transform tasks of a DAG file, as Airflow reads it in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow_batchtx.control.checking import Subject
from airflow_batchtx.errors import InvalidInput, Problem

_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Named:
    """A job that is to be checked, under the name that its user knows it by. `subject` is None where nothing is known
    of it before it runs.
    """

    name: str
    subject: Subject | None


@dataclass(frozen=True, slots=True)
class Contents:
    """The jobs of a file, and what keeps it from being read."""

    file: str
    jobs: Sequence[Named]
    problems: Sequence[Problem] = ()


def read(file: Path, *, dag_id: str | None = None, task_id: str | None = None) -> Contents:
    """Let Airflow read a DAG file; InvalidInput where Airflow is missing, or there is no such task in the file."""
    if not file.is_file():
        raise _unreadable(file, "does not exist", "Look at the path.")
    if find_spec("airflow") is None:
        raise _unreadable(file, "needs Airflow, which is not installed", "Install it: pip install apache-airflow")
    answer = _asked(file)
    tasks = [one for one in answer["tasks"] if one["dag_id"] == (dag_id or one["dag_id"]) and _is_named(one, task_id)]
    if not tasks and not answer["problems"]:
        rule = "has no BatchTransformOperator" + (" of these ids" if dag_id or task_id else "")
        raise _unreadable(file, rule, "Look at the file, --dag-id and --task-id.")
    return Contents(str(file), [_named(one) for one in tasks], [Problem(**one) for one in answer["problems"]])


def _is_named(task: Mapping[str, Any], task_id: str | None) -> bool:
    """Tell whether a task is meant: by its whole id, or by its name within a group."""
    return task_id is None or task["task_id"] == task_id or task["task_id"].endswith(f".{task_id}")


def _asked(file: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="batchtx-check-") as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "airflow_batchtx.cli.dagfile", str(file), str(answer)]
        try:
            ran = subprocess.run(
                command, env=_environment(Path(folder)), capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise _unreadable(file, f"was not read within {_SECONDS:.0f} s", "Do less while it is parsed.") from None
        if ran.returncode or not answer.exists():
            told = (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1]
            raise _unreadable(file, f"Airflow does not start: {told}", "Try: airflow info")
        read: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return read


def _environment(folder: Path) -> dict[str, str]:
    """Use the Airflow that is configured here; where none is, leave no home of one behind."""
    home = {} if "AIRFLOW_HOME" in os.environ or (Path.home() / "airflow").exists() else {"AIRFLOW_HOME": str(folder)}
    return {**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", **home}


def _named(task: Mapping[str, Any]) -> Named:
    index = "" if task["map_index"] is None else f"[{task['map_index']}]"
    return Named(f"{task['dag_id']}.{task['task_id']}{index}", _subject(task))


def _subject(task: Mapping[str, Any]) -> Subject | None:
    request, model = _mapping(task["job"]), _mapping(task["model"])
    if request is None:
        return None
    return Subject(
        request=request,
        options=task["options"],
        control_prefix=task["control_prefix"],
        model=model,
        prices=task["prices"],
    )


def _mapping(value: Any) -> Mapping[str, Any] | None:
    """Read what may be JSON in a text; None for a template of it all."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    return value if isinstance(value, Mapping) else None


def _unreadable(file: Path, rule: str, remedy: str) -> InvalidInput:
    return InvalidInput("DAG file", (Problem("file", str(file), rule, remedy),))
