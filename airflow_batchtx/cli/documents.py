"""The files that commands read: a CreateTransformJob request as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow_batchtx.errors import InvalidJob, Problem

STDIN = "-"


def request_of(file: str) -> dict[str, Any]:
    """Read a request from a file, or from standard input for `-`; InvalidJob where there is none in it."""
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8")
        request = json.loads(text)
    except (OSError, ValueError) as error:
        raise _unreadable(file, f"cannot be read as JSON: {error}") from error
    if not isinstance(request, dict):
        raise _unreadable(file, f"holds no JSON object but a {type(request).__name__}")
    return request


def _unreadable(file: str, rule: str) -> InvalidJob:
    remedy = 'Give a CreateTransformJob request: {"ModelName": ..., "TransformInput": ..., ...}'
    return InvalidJob("transform job", (Problem("file", file, rule, remedy),))
