"""Faults on request, so that users can see how their DAGs meet them.

A job asks for them in the variable BATCHTX_FAULTS of its Environment, as a JSON object; an engine, for all jobs, by an
option. On AWS it is a variable that no container reads. docs/decisions/0005-faults.md says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from airflow_batchtx.errors import InvalidFaults, Problem, refuse
from airflow_batchtx.modelserver.connection import Answer, Body, Connection
from airflow_batchtx.modelserver.contract import INVOCATIONS

VARIABLE = "BATCHTX_FAULTS"
Number = int | float
# A year, which every platform can wait for.
_MOST_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is to go wrong; by default nothing.

    `provisioning_seconds` pass before a job starts. `capacity_error` then fails it, for all instance types or for those
    listed. A job that has started ends no sooner than `transform_seconds` later. Of an instance's calls to a container
    every `fail_every`-th is answered with 500 in the container's place, and every `drop_every`-th reaches it, but its
    answer is lost; 0 is never. A call that is made again counts again.
    """

    provisioning_seconds: Number = 0
    transform_seconds: Number = 0
    capacity_error: bool | tuple[str, ...] = False
    fail_every: int = 0
    drop_every: int = 0

    def lacks(self, instance_type: str) -> bool:
        """Tell whether there is to be no capacity of an instance type."""
        wanted = self.capacity_error
        return wanted if isinstance(wanted, bool) else instance_type in wanted


NONE = Faults()


def parsed(text: str, default: Faults = NONE) -> Faults:
    """Read a definition over `default`; InvalidFaults names everything that is wrong with it."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        problem = Problem(VARIABLE, text, "must be a JSON object", 'Write for example {"fail_every": 3}')
        raise InvalidFaults(VARIABLE, (problem,))
    refuse(InvalidFaults, VARIABLE, _problems(found))
    types = found.get("capacity_error")
    return replace(default, **{**found, **({"capacity_error": tuple(types)} if isinstance(types, list) else {})})


def of_job(request: Mapping[str, Any], default: Faults) -> Faults:
    """Give the faults of a job: what its Environment says over what the engine says."""
    text = request.get("Environment", {}).get(VARIABLE)
    return default if text is None else parsed(text, default)


def _problems(found: Mapping[str, object]) -> Iterator[Problem]:
    for name, value in found.items():
        if name not in _RULES:
            yield Problem(name, value, "is no fault", f"The faults are {', '.join(_RULES)}")
        elif not _RULES[name][0](value):
            yield Problem(name, value, _RULES[name][1], "Correct it or leave it out")


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST_SECONDS


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_capacity(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


_SECONDS = (_is_seconds, f"must be a number of seconds, from 0 to {_MOST_SECONDS}")
_COUNT = (_is_count, "must be a whole number, 0 (never) or more")
_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "provisioning_seconds": _SECONDS,
    "transform_seconds": _SECONDS,
    "capacity_error": (_is_capacity, "must be true, false or a list of instance types"),
    "fail_every": _COUNT,
    "drop_every": _COUNT,
}


# ------------------------------------------------------------------------------------------------- invocations


@dataclass(frozen=True, slots=True)
class Interference:
    """What happens to an instance's calls of a container, beside what the container does."""

    fail_every: int = 0
    drop_every: int = 0

    def links(self) -> Callable[..., Connection]:
        """Give the kind of connection that a ModelClient is to use; all of its connections count together."""
        if not (self.fail_every or self.drop_every):
            return Connection
        numbers = count(1)
        return lambda url, *, clock: _Disturbed(self, lambda: next(numbers), url, clock=clock)


UNDISTURBED = Interference()


class _Disturbed(Connection):
    def __init__(self, plan: Interference, number: Callable[[], int], *where: Any, **how: Any) -> None:
        super().__init__(*where, **how)
        self._plan, self._number = plan, number

    def exchange(self, method: str, path: str, headers: Mapping[str, bytes], body: Body, *, seconds: float) -> Answer:
        """Exchange, or fail as it was asked for."""
        if path != INVOCATIONS:
            return super().exchange(method, path, headers, body, seconds=seconds)
        number, plan = self._number(), self._plan
        if plan.fail_every and number % plan.fail_every == 0:
            return Answer(500, f"{VARIABLE}: call {number} fails, as does every {plan.fail_every}.".encode())
        answer = super().exchange(method, path, headers, body, seconds=seconds)
        if plan.drop_every and number % plan.drop_every == 0:
            self.close()
            raise ConnectionResetError(f"{VARIABLE}: call {number} gets no answer, as does every {plan.drop_every}.")
        return answer
