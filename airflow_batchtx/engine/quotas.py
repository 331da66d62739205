"""How many instances may be used at once, as an account's quotas say: per instance type, and of all types together."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_batchtx.errors import LocalEngineError, RequestRefused

# The TransformResources of a job.
Resources = Mapping[str, Any]
# In place of an instance type: the quota of all together.
ALL = "all"
_ALL_NAME = "Number of instances across all transform jobs"
_WRITTEN = re.compile(r"(?P<type>all|ml\.[a-z0-9]+\.[a-z0-9]+)=(?P<limit>\d+)")


def read(written: Iterable[str]) -> dict[str, int]:
    """Read quotas as a command line gives them: `ml.m5.large=2`, `all=20`."""
    found = {text: _WRITTEN.fullmatch(text) for text in written}
    if wrong := [text for text, match in found.items() if match is None]:
        raise LocalEngineError(f"{', '.join(wrong)}: write a quota as ml.m5.large=2, that of all types as all=20.")
    return {match["type"]: int(match["limit"]) for match in found.values() if match is not None}


class Quotas:
    """Keeps to limits of instances at once; what has none is unlimited."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = dict(limits)
        self._lock = threading.Lock()

    @contextmanager
    def granted(self, wanted: Resources, used: Callable[[], Iterable[Resources]]) -> Iterator[None]:
        """Let a job be added in the block if what it wants fits beside `used`, that of all jobs that have not ended.

        ResourceLimitExceeded where it does not. No other job is granted any meanwhile.
        """
        with self._lock:
            if self._limits:
                self._check(wanted, list(used()))
            yield

    def _check(self, wanted: Resources, used: list[Resources]) -> None:
        kind, delta = wanted["InstanceType"], wanted["InstanceCount"]
        same = [one for one in used if one["InstanceType"] == kind]
        quotas = {kind: (f"{kind} for transform job usage", same), ALL: (_ALL_NAME, used)}
        for limited, (name, sharing) in quotas.items():
            utilization = sum(one["InstanceCount"] for one in sharing)
            if limited in self._limits and utilization + delta > self._limits[limited]:
                raise _exceeded(name, self._limits[limited], utilization, delta)


def _exceeded(name: str, limit: int, utilization: int, delta: int) -> RequestRefused:
    return RequestRefused(
        "ResourceLimitExceeded",
        f"The account-level service limit '{name}' is {limit} Instances, with current utilization of {utilization}"
        f" Instances and a request delta of {delta} Instances. Please use AWS Service Quotas to request an increase for"
        " this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this"
        " quota.",
    )
