"""Reads a DAG file with Airflow, in a process of its own: `python -m airflow_batchtx.cli.dagfile FILE ANSWER`.

The answer is written to a file, as JSON: the transform tasks of the DAGs, or why there are none. Nothing else of the
command line imports Airflow.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import islice, product
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import conf

from airflow_batchtx.errors import InvalidInput, Problem
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.spec import policy
from airflow_batchtx.spec.job import TransformJob
from airflow_batchtx.spec.model import ModelDefinition
from airflow_batchtx.spec.templates import Reference, is_open

# Pieces of one mapped task that are looked at.
_PIECES = 1_000
_UNKNOWN = "{{ known when it runs }}"
# Arguments that Airflow's configuration gives where a task does not.
_CONFIGURED = ("control_prefix", "prices")
_NAMES = ("job", "model", *_CONFIGURED, *policy.OPTIONS)

Values = Mapping[str, Any]


def answer(file: Path) -> dict[str, Any]:
    """Give the transform tasks of a file's DAGs, and what keeps Airflow from reading it."""
    sys.path.insert(0, str(file.parent))
    bag = DagBag(str(file), safe_mode=False)
    problems = [problem for text in bag.import_errors.values() for problem in _problems(file, text)]
    tasks = [found for dag in bag.dags.values() for task in dag.tasks for found in _found(dag.dag_id, task)]
    return {"tasks": tasks, "problems": [_plain(asdict(one)) for one in problems]}


def _problems(file: Path, trace: str) -> Sequence[Problem]:
    """Tell what an import error means: run once more, the file raises it as it is."""
    try:
        runpy.run_path(str(file))
    except InvalidInput as error:
        return error.problems
    except (Exception, SystemExit) as error:  # noqa: BLE001 a file may raise anything
        told = f"{type(error).__name__}: {error}"
    else:
        told = trace.strip().splitlines()[-1]
    return (Problem("DAG file", file.name, f"cannot be read by Airflow: {told}", "Mend it, and check again."),)


def _found(dag_id: str, task: Any) -> Iterator[dict[str, Any]]:
    kind = getattr(task, "operator_class", type(task))
    if not issubclass(kind, BatchTransformOperator):
        return
    mapped = hasattr(task, "expand_input")
    for index, values in enumerate(_pieces(task) if mapped else [_set(task)]):
        yield {"dag_id": dag_id, "task_id": task.task_id, "map_index": index if mapped else None, **_known(values)}


def _set(task: Any) -> Values:
    return {name: getattr(task, name) for name in _NAMES}


def _pieces(task: Any) -> Iterator[Values]:
    """Give the arguments of each piece of a mapped task; of those that are known only when it runs, one for all."""
    return ({**task.partial_kwargs, **given} for given in islice(_expanded(task.expand_input.value), _PIECES))


def _expanded(given: Any) -> Iterator[Values]:
    if isinstance(given, Mapping):
        axes = [[(name, value) for value in _each(values)] for name, values in given.items()]
        yield from (dict(pairs) for pairs in product(*axes))
    elif isinstance(given, list | tuple):
        yield from (one if isinstance(one, Mapping) else {"job": _UNKNOWN} for one in given)
    else:
        yield {"job": _UNKNOWN}


def _each(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else [_UNKNOWN]


def _known(values: Values) -> dict[str, Any]:
    job, model = values.get("job", _UNKNOWN), values.get("model")
    job = job.to_request() if isinstance(job, TransformJob) else job
    return {
        "job": _plain(job),
        "model": _plain(model.to_dict() if isinstance(model, ModelDefinition) else model),
        **{name: _plain(values.get(name) or conf.get("batchtx", name, fallback=None) or None) for name in _CONFIGURED},
        "options": {name: _plain(values[name]) for name in policy.OPTIONS if name in values},
    }


def _plain(value: Any) -> Any:
    """Write a value as JSON, what only Airflow knows as a template."""
    match value:
        case Mapping():
            return {str(name): _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case timedelta():
            return value.total_seconds()
        case None | str() | bool() | int() | float():
            return value
        case _:
            return _written(value)


def _written(value: Any) -> str:
    text = str(value)
    return _UNKNOWN if isinstance(value, Reference) and not is_open(text) else text


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(answer(Path(sys.argv[1]).resolve())), encoding="utf-8")
