"""Making a job: every object pinned, the intent on record, then the call that is paid for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from airflow_batchtx.control.assignment import Assignment, Origin, Started
from airflow_batchtx.control.doubts import doubts
from airflow_batchtx.control.drafting import Draft, heads
from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.limits import looked
from airflow_batchtx.control.services import Services
from airflow_batchtx.control.wholeness import still_there
from airflow_batchtx.errors import (
    InvalidJob,
    JobNameTaken,
    JobNotFound,
    ObjectChanged,
    Postponed,
    QuotaExceeded,
    ServiceUnavailable,
    Throttled,
    refuse,
)
from airflow_batchtx.planning import manifests, preflight
from airflow_batchtx.planning.transfers import output_of
from airflow_batchtx.planning.work import differences, digested, same_version
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import S3DataType
from airflow_batchtx.spec.intent import Done, Intent, PinnedObject
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import OnQuota
from airflow_batchtx.spec.prepared import INPUT_PATH
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)

# Seconds. S3 tells times in whole ones: an output that is overwritten within one would look untouched.
TICK = 1.0

ENVIRONMENT = BY_NAME["environment"].path
TAGS = BY_NAME["tags"].path


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the jobs of one assignment."""

    services: Services
    assignment: Assignment
    ledger: Ledger

    def made(self, number: int, draft: Draft, prior: Intent | None) -> Started | None:
        """Make an attempt that sends what `prior`, the one before, left without output; all of it without `prior`.

        None where another process was quicker. What SageMaker refuses is raised.
        """
        pinned = self._pinned(draft, prior)
        if prior and not any(one.done is None for one in pinned):
            return self._nothing_to_send(prior, pinned, draft)
        name = self.assignment.name(number)
        intent = self._announced(self._intent(name, number, draft, pinned))
        if intent is None:
            return None
        self._await_tick(intent)
        if (arn := self._created(intent)) is None:
            return None
        log.info("Created transform job %s for %d objects", name, sum(one.done is None for one in intent.objects))
        return Started(
            job_name=name,
            job_arn=arn,
            origin=Origin.CREATED,
            folder=self.ledger.folder(name),
            output=self.assignment.output,
            intent=intent,
            described=None,
        )

    def _created(self, intent: Intent) -> str | None:
        """Make the call that is paid for, and give the job's ARN; None where the job is there, whoever made it."""
        try:
            return self.services.jobs.create(self._with_environment(intent.request))
        except JobNameTaken:
            log.info("Transform job %s was made by another process meanwhile", intent.job_name)
        except (QuotaExceeded, Throttled) as refusal:
            if self.assignment.policy.on_quota is OnQuota.FAIL:
                raise
            raise Postponed(intent.job_name, refusal.detail, since=intent.written) from refusal
        except ServiceUnavailable as lost:
            # The job may have been made, and only the answer lost.
            if not self._exists(intent.job_name):
                raise
            log.warning("%s; the job is there all the same", lost)
        return None

    def _exists(self, job_name: str) -> bool:
        try:
            looked(self.services, job_name)
        except JobNotFound:
            return False
        return True

    def _nothing_to_send(self, prior: Intent, pinned: tuple[PinnedObject, ...], draft: Draft) -> Started:
        log.info("Job %s and those before it wrote every output: there is nothing to send", prior.job_name)
        described = self.services.jobs.describe(prior.job_name)
        return Started(
            job_name=prior.job_name,
            job_arn=described["TransformJobArn"],
            origin=Origin.REUSED,
            folder=self.ledger.folder(prior.job_name),
            output=self.assignment.output,
            intent=replace(
                prior,
                objects=pinned,
                work=draft.work,
                epoch=self.assignment.epoch,
                prepared=self._prepared(prior.job_name, draft),
                rows=self.assignment.rows,
            ),
            described=described,
        )

    def _pinned(self, draft: Draft, prior: Intent | None) -> tuple[PinnedObject, ...]:
        done = self._done(draft, prior)

        def pinned(one: Any) -> PinnedObject:
            target = self._target(one.uri, draft)
            return PinnedObject(
                uri=str(one.uri),
                size=one.size,
                etag=one.etag,
                sha256=one.sha256,
                target=target,
                before=draft.outputs.get(target),
                done=done.get(str(one.uri)),
            )

        return tuple(pinned(one) for one in draft.inputs.chosen)

    def _target(self, uri: S3Uri, draft: Draft) -> str:
        return str(output_of(uri.key[len(draft.inputs.base.key) :], self.assignment.output))

    def _done(self, draft: Draft, prior: Intent | None) -> Mapping[str, Done]:
        """Give the outputs of earlier attempts that count: same request, model, object and place, and still there."""
        if prior is None or not self.assignment.policy.resume:
            return {}
        if any(one.part != "input" for one in differences(prior.work, draft.work)):
            return {}
        before, now = prior.work.objects, draft.work.objects
        # Where another prefix is input as well, the folder that they have in common may be another.
        stayed = {one.uri for one in prior.objects if one.target == self._target(S3Uri.parse(one.uri), draft)}
        return {
            uri: done
            for uri, done in still_there(prior, self.ledger.record(prior.job_name), draft.outputs).items()
            if uri in now and uri in stayed and same_version(before[uri], now[uri])
        }

    def _intent(self, name: str, number: int, draft: Draft, pinned: tuple[PinnedObject, ...]) -> Intent:
        self._check(draft)
        mine = self.assignment
        return Intent(
            job_name=name,
            attempt=number,
            epoch=mine.epoch,
            identity=mine.identity,
            written=datetime.fromtimestamp(self.services.clock(), timezone.utc).isoformat(timespec="milliseconds"),
            request=self._request(name, draft, pinned),
            work=draft.work,
            objects=pinned,
            empty=tuple(str(uri) for uri in draft.inputs.empty),
            left_out=draft.inputs.left_out,
            prepared=self._prepared(name, draft),
            rows=mine.rows,
            model_created=mine.model_created,
            output=str(mine.output),
            tried=mine.tried,
        )

    def _prepared(self, name: str, draft: Draft) -> str | None:
        """Name the manifest of what was prepared; of what several tasks prepared there is one in the control folder."""
        if draft.prepared is None:
            return None
        if len(self.assignment.prepared) == 1:
            return self.assignment.prepared[0].manifest
        return str(self.ledger.put_prepared(name, draft.prepared))

    def _check(self, draft: Draft) -> None:
        facts = preflight.Facts(
            request=self.assignment.request,
            inputs=draft.inputs,
            control=self.assignment.control,
            heads=heads(self.services.store, self.assignment.request, draft.inputs),
        )
        refuse(InvalidJob, "transform job", preflight.problems(facts))
        for doubt in doubts(facts):
            log.warning("%s", doubt)
        if draft.inputs.empty:
            log.warning("%d objects of 0 bytes are left out: %s, ...", len(draft.inputs.empty), draft.inputs.empty[0])

    def _request(self, name: str, draft: Draft, pinned: tuple[PinnedObject, ...]) -> wire.Request:
        """Write the request as it goes on record: whole, but for the values of the environment."""
        request = wire.copied(self.assignment.request) | {"TransformJobName": name}
        sent = [S3Uri.parse(one.uri) for one in pinned if one.done is None]
        if not draft.inputs.exact or len(sent) < len(pinned):
            uri = self.ledger.put_manifest(name, manifests.written(draft.inputs.base, sent))
            wire.put(request, BY_NAME["s3_data_type"].path, S3DataType.MANIFEST_FILE.value)
            wire.put(request, INPUT_PATH, str(uri))
            log.info("The job is sent %d of %d objects, by the manifest %s", len(sent), len(pinned), uri)
        if self.assignment.tags:
            request[TAGS] = wire.tag_list(self.assignment.tags)
        if environment := request.get(ENVIRONMENT):
            request[ENVIRONMENT] = digested(environment)
        return request

    def _with_environment(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Put the values of the environment in the place of their digests: they are not on record."""
        environment = self.assignment.request.get(ENVIRONMENT)
        return {**request, **({} if environment is None else {ENVIRONMENT: environment})}

    def _announced(self, intent: Intent) -> Intent | None:
        """Put an intent on record; one of the same work and the same clear stands as it is.

        None where another process changed the record just now.
        """
        written = self.ledger.intent(intent.job_name)
        if written and _means_the_same(written.intent, intent):
            log.info("An earlier try put the intent of %s on record: it stands", intent.job_name)
            return written.intent
        if written and self._exists(intent.job_name):
            return None  # its job was made since we looked for one: the intent is that job's
        try:
            self.ledger.announce(intent, instead_of=written)
        except ObjectChanged:
            return None
        return intent

    def _await_tick(self, intent: Intent) -> None:
        """Let a second pass since the last change of what will be overwritten."""
        befores = (one.before for one in intent.objects if one.before and one.done is None)
        times = [datetime.fromisoformat(state.modified).timestamp() for state in befores if state.modified]
        left = max(times, default=0.0) + 2 * TICK - self.services.clock()
        # Without anything to wait for as well: a process that was told to end makes no job any more.
        self.services.sleep(min(max(left, 0.0), 2 * TICK))


def _means_the_same(written: Intent, intent: Intent) -> bool:
    return (
        written.epoch == intent.epoch
        and not differences(written.work, intent.work)
        and _without_tags(written.request) == _without_tags(intent.request)
    )


def _without_tags(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != TAGS}
