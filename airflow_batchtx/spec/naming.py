"""The names of transform jobs and of their models: known before these exist, the same however often a task is tried."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import astuple, dataclass
from typing import Any

from airflow_batchtx.spec.limits import NAME_LENGTH

_DIGEST = 12  # hexadecimal digits, 48 bits: a collision within 10^5 names has a chance of 2 in 10^5
_MACHINE_LENGTH = 80  # of a state machine's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The piece of work that a job does. Neither the try number nor a clock nor the input belongs to it."""

    namespace: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int

    @property
    def digest(self) -> str:
        """A short text that stands for this identity."""
        return short_digest(astuple(self))


def job_name(prefix: str, identity: Identity, attempt: int = 1) -> str:
    """Give `<prefix>-<digest>`, and `-2`, `-3`, ... for attempts after a job that ended in vain.

    Always a name that CreateTransformJob takes: a prefix is cut and cleaned as far as it must be.
    """
    return _joined(prefix, f"-{identity.digest}" + (f"-{attempt}" if attempt > 1 else ""), "job")


def model_name(prefix: str, digest: str) -> str:
    """Give `<prefix>-<digest>`: always a name that CreateModel takes, as `job_name` does for jobs."""
    return _joined(prefix, f"-{digest}", "model")


def state_machine_name(dag_id: str, task_id: str) -> str:
    """Give `<dag>-<task>`; where that is too long for a state machine, its end is a digest that tells tasks apart."""
    # A task in a group has a dot, and with that in its name a state machine has no logs.
    name = re.sub(r"[^a-zA-Z0-9_-]", "-", f"{dag_id}-{task_id}")
    if len(name) <= _MACHINE_LENGTH:
        return name
    tail = f"-{short_digest([dag_id, task_id])}"
    return f"{name[: _MACHINE_LENGTH - len(tail)]}{tail}"


def short_digest(value: Any) -> str:
    """Give a short text that stands for a JSON value, in whatever order its members come."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGEST]


def cleaned(prefix: str, length: int, otherwise: str) -> str:
    """Give the beginning of a name, cut and cleaned as far as it must be; `otherwise` where nothing of it is left."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", prefix).strip("-")[:length].rstrip("-") or otherwise


def _joined(prefix: str, tail: str, otherwise: str) -> str:
    return f"{cleaned(prefix, NAME_LENGTH - len(tail), otherwise)}{tail}"
