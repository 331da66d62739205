"""How a piece of work is to be controlled: what a task does about jobs that exist, limits, failures and deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from airflow_batchtx.errors import InvalidJob, Problem, refuse
from airflow_batchtx.spec.enums import Choice
from airflow_batchtx.spec.limits import INSTANCE_TYPE_PATTERN
from airflow_batchtx.spec.options import (
    Option,
    duration,
    flag,
    matching,
    one_of,
    optional,
    positive,
    read_options,
)


class OnExisting(Choice):
    """What a task does that finds its own job Completed, after it was cleared."""

    REUSE = "reuse"
    RERUN = "rerun"
    FAIL = "fail"


class OnChanged(Choice):
    """What a task does whose job, running or Completed, was given another input, model or request."""

    ADOPT = "adopt"
    REPLACE = "replace"
    FAIL = "fail"


class OnEmpty(Choice):
    """What a task does that has no input object."""

    FAIL = "fail"
    SKIP = "skip"


class OnQuota(Choice):
    """What a task does whose job is refused by a quota or by throttling."""

    WAIT = "wait"
    FAIL = "fail"


class OnStopped(Choice):
    """What a job means that somebody stopped."""

    FAIL = "fail"
    ACCEPT = "accept"


class Verify(Choice):
    """What has to be proved before a Completed job counts as success."""

    OUTPUTS = "outputs"
    NONE = "none"


_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The options of job control, read. Durations are in seconds, `max_cost` is in the currency of the price table.

    `max_runtime` counts from the job's creation, `max_cost` from its start, since AWS bills from then on.
    `instance_types` are what is tried after a CapacityError, in turn. `include` and `exclude` are patterns of paths
    below the input prefix, in which `*` stands for any text, slashes included.
    """

    on_existing: OnExisting = OnExisting.REUSE
    on_changed: OnChanged = OnChanged.ADOPT
    on_empty: OnEmpty = OnEmpty.FAIL
    on_quota: OnQuota = OnQuota.WAIT
    on_stopped: OnStopped = OnStopped.FAIL
    verify: Verify = Verify.OUTPUTS
    resume: bool = True
    max_runtime: float | None = None
    max_cost: float | None = None
    quota_timeout: float = _DAY
    instance_types: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Policy:
        """Read the options of a task; InvalidJob names everything that is wrong with them."""
        known, problems = read_options(OPTIONS, values)
        refuse(InvalidJob, "job control", problems)
        return cls(**known)

    def next_instance_type(self, failed: str) -> str | None:
        """Give what to try after there was no capacity for `failed`; None where all have been tried."""
        left = (
            self.instance_types[self.instance_types.index(failed) + 1 :]
            if failed in self.instance_types
            else self.instance_types
        )
        return next((name for name in left if name != failed), None)


def problems(values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Give everything that is wrong with options, as far as they are known by now."""
    return read_options(OPTIONS, values)[1]


def _choice(kind: type[Choice]) -> Option:
    choices = tuple(choice.value for choice in kind)
    chosen = one_of(choices)
    return Option(lambda value: kind(chosen(value)), f"Choose one of {', '.join(choices)}.")


_SECONDS = "Give seconds, or a timedelta; None for no limit."
_PATTERNS = "Give a pattern such as *.csv, or a list of them."

OPTIONS: Mapping[str, Option] = {
    "on_existing": _choice(OnExisting),
    "on_changed": _choice(OnChanged),
    "on_empty": _choice(OnEmpty),
    "on_quota": _choice(OnQuota),
    "on_stopped": _choice(OnStopped),
    "verify": _choice(Verify),
    "resume": Option(flag, "Choose True or False."),
    "max_runtime": Option(optional(duration), _SECONDS),
    "max_cost": Option(optional(positive), "Give an amount of money, such as 25.0; None for no limit."),
    "quota_timeout": Option(optional(duration, _DAY), "Give seconds, or a timedelta; None for a day."),
    "instance_types": Option(
        optional(matching(INSTANCE_TYPE_PATTERN, "instance types"), ()),
        "Give a list such as ['ml.m5.xlarge', 'ml.m5.2xlarge'].",
    ),
    "include": Option(optional(matching(".+", "patterns of names"), ()), _PATTERNS),
    "exclude": Option(optional(matching(".+", "patterns of names"), ()), _PATTERNS),
}
DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(Policy)}
