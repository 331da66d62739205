"""What becomes of a piece of work, given the last job that was made for it: one table, first match wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import is_final
from airflow_batchtx.spec.policy import OnChanged, OnExisting, Policy


class Step(Enum):
    """The ways to go on."""

    CREATE = "create"  # a new job, under the next name, for what has no output yet
    RERUN = "rerun"  # a new job, under the next name, for everything
    ADOPT = "adopt"  # wait for the job that is running
    REUSE = "reuse"  # take the output of the job that has ended
    REPLACE = "replace"  # stop the job that is running, then create
    OUTWAIT = "outwait"  # let a job that is stopping end, then create
    REFUSE = "refuse"  # fail, and leave the job alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of the last job of a piece of work.

    `status` is None where there is no job yet. `same_clear`: a try before this one made it, not one before the task
    was cleared, or before its run was deleted and made anew. `differences` say in words what has changed since, None
    where it could not be compared. `whole`: every output that the job owes is there, as it wrote it; None where nobody
    looked. `accepted`: it was stopped, and what it had written by then was taken.
    """

    status: str | None
    same_clear: bool = True
    differences: tuple[str, ...] | None = ()
    whole: bool | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The way to go on, and why, for people."""

    step: Step
    why: str


def decide(policy: Policy, situation: Situation) -> Decision:
    """Choose the way to go on."""
    return next(Decision(rule.step, rule.why) for rule in RULES if rule.holds(policy, situation))


Condition = Callable[[Policy, Situation], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: where all conditions hold, this is the step."""

    step: Step
    why: str
    conditions: Sequence[Condition] = ()

    def holds(self, policy: Policy, situation: Situation) -> bool:
        """Tell whether the row is about this situation."""
        return all(condition(policy, situation) for condition in self.conditions)


def _status(*statuses: JobStatus) -> Condition:
    return lambda _, situation: situation.status in statuses


def _absent(_: Policy, situation: Situation) -> bool:
    return situation.status is None


def _ended_in_vain(_: Policy, situation: Situation) -> bool:
    return situation.status is not None and is_final(situation.status) and situation.status != JobStatus.COMPLETED


def _changed(_: Policy, situation: Situation) -> bool:
    return situation.differences is None or bool(situation.differences)


def _accepted(_: Policy, situation: Situation) -> bool:
    return situation.accepted


def _cleared(_: Policy, situation: Situation) -> bool:
    return not situation.same_clear


def _partial(_: Policy, situation: Situation) -> bool:
    return situation.whole is False


def _existing(choice: OnExisting) -> Condition:
    return lambda policy, _: policy.on_existing is choice


def _if_changed(choice: OnChanged) -> Condition:
    return lambda policy, _: policy.on_changed is choice


_RUNNING, _COMPLETED = _status(JobStatus.IN_PROGRESS), _status(JobStatus.COMPLETED)

RULES: Sequence[Rule] = (
    Rule(Step.CREATE, "there is no job yet", [_absent]),
    Rule(Step.OUTWAIT, "it is being stopped", [_status(JobStatus.STOPPING)]),
    Rule(Step.REUSE, "it was stopped, and what it wrote was accepted", [_accepted]),
    Rule(Step.CREATE, "it did not Complete", [_ended_in_vain]),
    # A job that runs is this work's own, whoever waited for it before.
    Rule(Step.REFUSE, "it runs, and on_changed is fail", [_RUNNING, _changed, _if_changed(OnChanged.FAIL)]),
    Rule(Step.REPLACE, "it runs, and on_changed is replace", [_RUNNING, _changed, _if_changed(OnChanged.REPLACE)]),
    Rule(Step.ADOPT, "it is running", [_RUNNING]),
    # Completed. A retry of the same clear is the same work; someone who clears a task asks for it again.
    Rule(Step.REFUSE, "on_existing is fail", [_COMPLETED, _cleared, _existing(OnExisting.FAIL)]),
    Rule(
        Step.RERUN,
        "on_existing is rerun, and it was asked for again",
        [_COMPLETED, _cleared, _existing(OnExisting.RERUN)],
    ),
    Rule(Step.REFUSE, "on_changed is fail", [_COMPLETED, _changed, _if_changed(OnChanged.FAIL)]),
    Rule(Step.CREATE, "on_changed is replace", [_COMPLETED, _changed, _if_changed(OnChanged.REPLACE)]),
    Rule(Step.CREATE, "it was asked for again", [_COMPLETED, _changed, _cleared]),
    Rule(Step.CREATE, "not all of its outputs are there as it wrote them", [_COMPLETED, _partial]),
    Rule(Step.REUSE, "it Completed", [_COMPLETED]),
)
