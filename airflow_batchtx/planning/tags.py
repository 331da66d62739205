"""The tags of a job: those that its request gives, and those that say which work it belongs to."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Protocol

from airflow_batchtx.spec.members import BY_NAME

_NAMESPACE = "batchtx:"
_MOST, _LONGEST = BY_NAME["tags"].maximum or 0, 256  # tags; characters of a value
# API reference, Tag: [\p{L}\p{Z}\p{N}_.:/=+\-@]*
_CATEGORIES, _SIGNS = "LZN", frozenset("_.:/=+-@")


class Run(Protocol):
    """What names the run of a task: a task instance, or an Identity."""

    @property
    def dag_id(self) -> str: ...  # noqa: D102
    @property
    def task_id(self) -> str: ...  # noqa: D102
    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def map_index(self) -> int: ...  # noqa: D102


def automatic_tags(request: Mapping[str, Any], run: Run) -> dict[str, str]:
    """Give all tags that the job of a request is to have: its own as they stand, then `batchtx:dag_id` and the like.

    A job has at most 50. Its own win and are never left out; where they leave no room, automatic ones are.
    """
    told = {"dag_id": run.dag_id, "task_id": run.task_id, "run_id": run.run_id}
    if run.map_index >= 0:
        told["map_index"] = str(run.map_index)
    return _with_own(request, told)


def shell_tags(request: Mapping[str, Any], name: str, key: str) -> dict[str, str]:
    """Give the same for work of the command line: its own, then `batchtx:name`, and `batchtx:key` where it has one."""
    return _with_own(request, {"name": name} | ({"key": key} if key else {}))


def _with_own(request: Mapping[str, Any], told: Mapping[str, str]) -> dict[str, str]:
    own = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
    new = {f"{_NAMESPACE}{name}": sanitised(text) for name, text in told.items()}
    room = max(_MOST - len(own), 0)
    return own | dict([pair for pair in new.items() if pair[0] not in own][:room])


def sanitised(text: str) -> str:
    """Give the text as a tag's value may hold it: what AWS does not take becomes an underscore."""
    return "".join(
        char if char in _SIGNS or unicodedata.category(char)[0] in _CATEGORIES else "_" for char in text[:_LONGEST]
    )
