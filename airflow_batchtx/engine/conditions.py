"""Under which conditions an engine's users work: the faults, quotas and rates that a test of theirs asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow_batchtx.engine import faults, quotas
from airflow_batchtx.engine.faults import Faults
from airflow_batchtx.engine.throttle import Rate
from airflow_batchtx.errors import LocalEngineError

_RATE = re.compile(r"(?P<rate>\d+(\.\d+)?)(:(?P<burst>[1-9]\d*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Faults for every job that does not ask for others, instances at once by type, and how often each operation may
    be called; by default there are no faults and no limits.
    """

    faults: Faults = faults.NONE
    quotas: Mapping[str, int] = field(default_factory=dict)
    rate: Rate | None = None


NORMAL = Conditions()


def read(faults_text: str | None, quotas_written: Iterable[str], rate_text: str | None) -> Conditions:
    """Read conditions as a command line gives them; InvalidFaults or LocalEngineError says what is wrong."""
    return Conditions(
        faults=faults.parsed(faults_text) if faults_text else faults.NONE,
        quotas=quotas.read(quotas_written),
        rate=_rate(rate_text) if rate_text else None,
    )


def _rate(text: str) -> Rate:
    match = _RATE.fullmatch(text)
    per_second = float(match["rate"]) if match else 0.0
    if match is None or not per_second:
        raise LocalEngineError(f"{text}: write a throttle as calls a second, 5 or 0.5, or with a burst as 5:20.")
    return Rate(per_second, int(match["burst"] or max(1, math.ceil(per_second))))
