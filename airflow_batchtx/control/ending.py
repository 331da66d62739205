"""What an ended job means: a proved result, or the error that says what went wrong. One way for all who wait."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_batchtx.control.assignment import OnRecord
from airflow_batchtx.control.diagnosis import diagnose
from airflow_batchtx.control.drafting import outputs_below
from airflow_batchtx.control.ledger import RECORD, Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import JobFailed, JobStopped, OutputIncomplete, StorageError
from airflow_batchtx.planning.completeness import Completeness, completeness
from airflow_batchtx.planning.cost import cost
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.intent import Intent, ObjectState, PinnedObject
from airflow_batchtx.spec.lifecycle import failure
from airflow_batchtx.spec.policy import OnStopped, Policy, Verify
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.record import Answered, Record
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)

# Inputs that an error names; all of them are in the record.
_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the ends of jobs are taken."""

    services: Services
    policy: Policy
    prices: PriceTable

    def concluded(self, described: Described, attempt: OnRecord | None) -> TransformResult:
        """Give the result of an ended job, proved as the policy asks; raise the JobFailed that it means otherwise.

        What answers what is on record then. Nothing can be proved of a job whose intent is not on record.
        """
        error = failure(
            described["TransformJobName"], described["TransformJobStatus"], described.get("FailureReason", "")
        )
        accepted = isinstance(error, JobStopped) and self.policy.on_stopped is OnStopped.ACCEPT
        # A job that failed may have left nothing to do: then it is reused for its outputs, which are all there.
        if error and not accepted and not (attempt and attempt.reused):
            raise replace(self._explained(error, described, attempt), objects_done=self._done(attempt))
        if attempt is None or self.policy.verify is Verify.NONE:
            return self.result(described, attempt)
        found = self._outputs(attempt)
        if lost := () if accepted else (*found.missing, *found.unchanged):
            raise OutputIncomplete(
                described["TransformJobName"],
                missing=tuple(one.uri for one in lost[:_NAMED]),
                count=len(lost),
                total=len(attempt.intent.objects),
                objects_done=len(found.done),
            )
        return self._recorded(described, attempt, found)

    def _explained(self, error: JobFailed, described: Described, attempt: OnRecord | None) -> JobFailed:
        """Put into an error what the job's logs tell of it."""
        if isinstance(error, JobStopped):
            return error
        inputs = {one.uri for one in attempt.intent.objects} if attempt else ()
        found = diagnose(
            self.services.logs, described, sleep=self.services.sleep, clock=self.services.clock, inputs=inputs
        )
        return found.explain(error)

    def result(self, described: Described, attempt: OnRecord | None) -> TransformResult:
        """Describe a job as it is now, ended or not."""
        known: dict[str, Any] = {}
        if attempt is not None:
            known = {
                "control": str(attempt.folder),
                "prepared": attempt.intent.prepared,
                "rows": attempt.intent.rows,
                "objects": len(attempt.intent.objects),
                "attempts": attempt.intent.attempt,
                "reused": attempt.reused,
                "own_model": attempt.intent.model_created is not None,
            }
        return self._priced(replace(TransformResult.of(described), **known))

    def _priced(self, result: TransformResult) -> TransformResult:
        region = result.job_arn.split(":")[3]
        known = self.prices.price(region, result.instance_type)
        if known is None or result.instance_seconds is None:
            return result
        spent = cost(result.instance_seconds, known)
        return replace(result, cost=spent, currency=known.currency, priced=known.date)

    def _outputs(self, attempt: OnRecord) -> Completeness:
        there = outputs_below(self.services.store, S3Uri.parse(attempt.intent.output))
        since = Ledger.of(self.services.store, attempt.folder).announced(attempt.intent.job_name)
        return completeness(attempt.intent.objects, there, since=since)

    def _recorded(self, described: Described, attempt: OnRecord, found: Completeness) -> TransformResult:
        """Put on record which output answers which input."""
        if found.unexpected:
            log.warning(
                "%d outputs came meanwhile that answer no input of this work, and are no part of its result: %s, ...",
                len(found.unexpected),
                found.unexpected[0],
            )
        made = self.result(described, attempt)
        made = replace(made, objects_done=len(found.done), record=str(attempt.folder / RECORD))
        Ledger.of(self.services.store, attempt.folder).conclude(recorded(attempt.intent, found, made))
        return made

    def _done(self, attempt: OnRecord | None) -> int | None:
        """Count how far a job came that did not Complete; what goes wrong here must not hide why it did not."""
        if attempt is None or self.policy.verify is Verify.NONE:
            return None
        try:
            found = self._outputs(attempt)
        except StorageError as error:
            log.warning("How far the job came cannot be told: %s", error)
            return None
        log.info("%d of %d objects have their output, which stays.", len(found.done), len(attempt.intent.objects))
        return len(found.done)


def recorded(intent: Intent, found: Completeness, result: TransformResult) -> Record:
    """Make the record of what a piece of work came to."""
    states: Mapping[str, ObjectState] = {one.target: state for one, state in found.done}

    def answered(one: PinnedObject) -> Answered:
        state = states.get(one.target)
        writer = one.done.job_name if one.done else intent.job_name
        return Answered(
            input=one.uri,
            size=one.size,
            etag=one.etag,
            sha256=one.sha256,
            output=one.target,
            state=state,
            job_name=writer if state else None,
        )

    return Record(
        job_name=intent.job_name,
        result=result.to_dict(),
        objects=tuple(answered(one) for one in intent.objects),
        empty=intent.empty,
        unexpected=found.unexpected,
    )
