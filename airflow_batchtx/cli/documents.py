"""The files that commands read: requests and results as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow_batchtx.errors import InvalidInput, InvalidJob, Problem
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import S3DataType
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.prepared import INPUT_PATH, prepared_inputs

STDIN = "-"


def request_of(file: str, prepared: str | None = None) -> dict[str, Any]:
    """Read a request from a file, or from standard input for `-`; InvalidJob where there is none in it.

    `prepared` is a file of what `batchtx prepare --json` printed, or of a list of such: it is the request's input then.
    """
    remedy = 'Give a CreateTransformJob request: {"ModelName": ..., "TransformInput": ..., ...}'
    request: dict[str, Any] = _read(file, dict, InvalidJob, "transform job", remedy)
    if prepared is not None:
        remedy = "Give what batchtx prepare --json printed."
        found = _read(prepared, (dict, list), InvalidJob, "transform job", remedy)
        if not prepared_inputs(found):
            problem = Problem("prepared", prepared, "is nothing that was prepared", remedy)
            raise InvalidJob("transform job", (problem,))
        wire.put(request, BY_NAME["s3_data_type"].path, S3DataType.S3_PREFIX.value)
        wire.put(request, INPUT_PATH, found)
    return request


def result_of(file: str) -> dict[str, Any]:
    """Read what `batchtx run --json` printed, likewise; InvalidInput where there is no such thing in it."""
    remedy = "Give what batchtx run --json printed; batchtx status --json prints it again."
    result: dict[str, Any] = _read(file, dict, InvalidInput, "associate", remedy)
    return result


def _read(file: str, form: type | tuple[type, ...], kind: type[InvalidInput], subject: str, remedy: str) -> Any:
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise kind(subject, (Problem("file", file, f"cannot be read as JSON: {error}", remedy),)) from error
    if not isinstance(found, form):
        rule = f"holds no JSON object but a {type(found).__name__}"
        raise kind(subject, (Problem("file", file, rule, remedy),))
    return found
