"""The names of transform jobs: known before the job exists, the same however often a task is tried."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import astuple, dataclass

from airflow_batchtx.spec.limits import NAME_LENGTH

_DIGEST = 12  # hexadecimal digits, 48 bits: a collision within 10^5 names has a chance of 2 in 10^5


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
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()[:_DIGEST]


def job_name(prefix: str, identity: Identity, attempt: int = 1) -> str:
    """Give `<prefix>-<digest>`, and `-2`, `-3`, ... for attempts after a job that ended in vain.

    Always a name that CreateTransformJob takes: a prefix is cut and cleaned as far as it must be.
    """
    tail = f"-{identity.digest}" + (f"-{attempt}" if attempt > 1 else "")
    head = re.sub(r"[^a-zA-Z0-9]+", "-", prefix).strip("-")[: NAME_LENGTH - len(tail)].rstrip("-")
    return f"{head}{tail}" if head else f"job{tail}"
