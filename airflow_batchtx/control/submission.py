"""From a piece of work to its one job: found and adopted or reused, or made."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from airflow_batchtx.control.assignment import Assignment, Origin, Started
from airflow_batchtx.control.drafting import Draft, drafted, outputs_below
from airflow_batchtx.control.ledger import Ledger, Written
from airflow_batchtx.control.limits import outwait, stop
from airflow_batchtx.control.making import Maker
from airflow_batchtx.control.services import Services
from airflow_batchtx.control.wholeness import whole
from airflow_batchtx.errors import (
    BatchTransformError,
    JobCapacityError,
    JobConflict,
    JobNotFound,
    ModelCallRefused,
    Postponed,
    QuotaExceeded,
    ServiceUnavailable,
    StorageError,
    Throttled,
    WaitInterrupted,
)
from airflow_batchtx.planning.decision import Decision, Situation, Step, decide
from airflow_batchtx.planning.work import differences
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.intent import Intent
from airflow_batchtx.spec.lifecycle import failure
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import OnChanged, OnQuota, OnStopped, Policy, Verify
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)

# How often the search for a job begins anew because a twin of this process was quicker, after pauses that double from
# one second on: SageMaker may know that a name is taken before it describes the job.
_RACES = 5
# What only tells that something cannot be seen just now.
_UNSEEN = (ModelCallRefused, ServiceUnavailable, StorageError, WaitInterrupted)

INSTANCE_TYPE, OUTPUT = BY_NAME["instance_type"].path, BY_NAME["output"].path


def start(services: Services, assignment: Assignment) -> Started:
    """Give a piece of work its job.

    Postponed where a quota or throttling is in the way and the policy says to wait; InvalidJob, EmptyInput,
    JobConflict and the errors of SageMaker and S3 where there can be no job.
    """
    submission = Submission(services, assignment, Ledger(services.store, assignment.control))
    with postponing(assignment.name(1), assignment.policy):
        for race in range(_RACES):
            if started := submission.started():
                return started
            services.sleep(2.0**race)
    raise JobConflict(assignment.name(1), "other processes keep making and ending jobs of this work")


def running(services: Services, assignment: Assignment) -> str | None:
    """Give the name of the work's job that runs, if there is one."""
    last = Submission(services, assignment, Ledger(services.store, assignment.control)).last()
    return last.name if last and last.status == JobStatus.IN_PROGRESS else None


@contextmanager
def postponing(job_name: str, policy: Policy) -> Iterator[None]:
    """Postpone what a quota or throttling is in the way of, if the policy says to wait."""
    try:
        yield
    except (QuotaExceeded, Throttled) as refusal:
        if policy.on_quota is OnQuota.FAIL:
            raise
        raise Postponed(job_name, refusal.detail) from refusal


@dataclass(frozen=True, slots=True)
class _Attempt:
    number: int
    name: str
    described: Described
    written: Written | None

    @property
    def intent(self) -> Intent | None:
        return self.written.intent if self.written else None

    @property
    def status(self) -> str:
        status: str = self.described["TransformJobStatus"]
        return status


@dataclass(frozen=True, slots=True)
class Submission:
    """One look at what there is, and what follows from it."""

    services: Services
    assignment: Assignment
    ledger: Ledger

    def started(self) -> Started | None:
        """Find or make the job; None where another process came between, and it has to be looked for again."""
        last = self.last()
        if last is None:
            return self._maker(None).made(1, self._draft(), None)
        if last.intent and last.intent.identity != self.assignment.identity:
            raise JobConflict(last.name, "it belongs to other work: use another namespace or name")
        return self._followed(last)

    def last(self) -> _Attempt | None:
        """Find the last attempt that has a job."""
        found, number = None, 1
        while True:
            name = self.assignment.name(number)
            try:
                found = number, name, self.services.jobs.describe(name)
            except JobNotFound:
                return _Attempt(*found, self.ledger.intent(found[1])) if found else None
            number += 1

    def _followed(self, last: _Attempt) -> Started | None:
        draft, why_not = self._comparable(last)
        situation = self._situation(last, draft)
        decision = decide(self.assignment.policy, situation)
        _tell(last, situation, decision, why_not)
        match decision.step:
            case Step.ADOPT:
                return self._found(last, Origin.ADOPTED)
            case Step.REUSE:
                return self._found(last, Origin.REUSED)
            case Step.REFUSE:
                raise JobConflict(last.name, decision.why, situation.differences or ())
            case Step.REPLACE:
                stop(self.services, last.name)
                outwait(self.services, last.name)
            case Step.OUTWAIT:
                outwait(self.services, last.name)
        prior = None if decision.step is Step.RERUN else last.intent
        if draft is None or decision.step in (Step.REPLACE, Step.OUTWAIT):
            draft = self._draft()  # what a job that was being stopped has written, shows only now
        return self._maker(last).made(last.number + 1, draft, prior)

    def _draft(self) -> Draft:
        mine = self.assignment
        return drafted(self.services, mine.request, mine.prepared, mine.policy)

    def _comparable(self, last: _Attempt) -> tuple[Draft | None, BatchTransformError | None]:
        """Look at what the job would do now. Where that cannot be seen, there may be no need of another job.

        Nothing is stopped or refused for want of a look: the error is raised, for another try to look again.
        """
        try:
            return self._draft(), None
        except BatchTransformError as error:
            unsure = isinstance(error, _UNSEEN) and self.assignment.policy.on_changed is not OnChanged.ADOPT
            if unsure or last.status not in (JobStatus.IN_PROGRESS, JobStatus.COMPLETED):
                raise
            return None, error

    def _situation(self, last: _Attempt, draft: Draft | None) -> Situation:
        if last.intent is None:
            return Situation(status=last.status, differences=None)
        changed = tuple(str(one) for one in differences(last.intent.work, draft.work)) if draft else None
        same_clear = last.intent.epoch == self.assignment.epoch and not self._of_a_run_that_is_gone(last.intent)
        return Situation(
            status=last.status,
            same_clear=same_clear,
            differences=changed,
            whole=self._whole(last.intent, last.status, draft),
            accepted=same_clear and self._accepted(last),
        )

    def _of_a_run_that_is_gone(self, intent: Intent) -> bool:
        made, now = intent.tried, self.assignment.tried
        return made is not None and now is not None and made.is_before_run_of(now)

    def _whole(self, intent: Intent, status: str, draft: Draft | None) -> bool | None:
        if status != JobStatus.COMPLETED or self.assignment.policy.verify is Verify.NONE:
            return None
        outputs = draft.outputs if draft else outputs_below(self.services.store, S3Uri.parse(intent.output))
        return whole(intent, self.ledger.record(intent.job_name), outputs)

    def _accepted(self, last: _Attempt) -> bool:
        """Tell whether an earlier try took a stopped job's outputs for its result."""
        accepts = self.assignment.policy.on_stopped is OnStopped.ACCEPT
        return accepts and last.status == JobStatus.STOPPED and self.ledger.record(last.name) is not None

    def _found(self, last: _Attempt, origin: Origin) -> Started:
        return Started(
            job_name=last.name,
            job_arn=last.described["TransformJobArn"],
            origin=origin,
            folder=self.ledger.folder(last.name),
            output=S3Uri.parse(wire.at(last.described, OUTPUT)),
            intent=last.intent,
            described=last.described,
        )

    def _maker(self, last: _Attempt | None) -> Maker:
        """Make jobs on the type that was asked for; after a CapacityError on the next one."""
        failed = last and failure(last.name, last.status, last.described.get("FailureReason", ""))
        if last is None or not isinstance(failed, JobCapacityError):
            return Maker(self.services, self.assignment, self.ledger)
        tried = wire.at(last.described, INSTANCE_TYPE)
        following = self.assignment.policy.next_instance_type(tried)
        if following is None:
            return Maker(self.services, self.assignment, self.ledger)
        log.info("There was no capacity for %s: trying %s", tried, following)
        request = wire.copied(self.assignment.request)
        wire.put(request, INSTANCE_TYPE, following)
        return Maker(self.services, replace(self.assignment, request=request), self.ledger)


def _tell(last: _Attempt, situation: Situation, decision: Decision, why_not: BatchTransformError | None) -> None:
    """Say in the log what was found and compared, and what is done about it."""
    log.info(
        "Found transform job %s, %s. Next step: %s, since %s.",
        last.name,
        last.status,
        decision.step.value,
        decision.why,
    )
    if situation.differences is None:
        reason = why_not or "its intent is not on record"
        log.warning("Job %s could not be compared with what there is now: %s", last.name, reason)
    elif situation.differences:
        log.warning("Changed since job %s was made:\n  - %s", last.name, "\n  - ".join(situation.differences))
    elif last.intent:
        count = len(last.intent.objects)
        log.info("Compared with job %s, and alike: request, model, and %d input objects.", last.name, count)
