"""Transform jobs as tasks: run one for one piece of work, stop one."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, ClassVar, NoReturn, TypeAlias

from airflow.sdk import Context
from airflow.sdk.exceptions import (
    AirflowRescheduleException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferralTimeout,
    TaskDeferred,
)

from airflow_batchtx.control import submission
from airflow_batchtx.control.assigning import assigned
from airflow_batchtx.control.assignment import Assignment, Origin, Started
from airflow_batchtx.control.course import QUOTA_PAUSE, next_try, to_end
from airflow_batchtx.control.following import Follower
from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.limits import Limits, enforced, looked, outwait, stop, wait
from airflow_batchtx.control.models import ensure_model, forget
from airflow_batchtx.control.waiting import ended, named
from airflow_batchtx.errors import (
    EmptyInput,
    InvalidJob,
    JobFailed,
    JobTimedOut,
    Postponed,
    Problem,
    WaitInterrupted,
    refuse,
)
from airflow_batchtx.hooks.controlled import (
    GRACE,
    ControlledOperator,
    configured_control,
    configured_interval,
    identity_of,
)
from airflow_batchtx.hooks.metrics import publish_job_metrics
from airflow_batchtx.hooks.stopping import ended_meanwhile
from airflow_batchtx.lineage.batch_transform import Trace, Traced
from airflow_batchtx.lineage.outlets import publish_outlets
from airflow_batchtx.links.batch_transform import LINKS, publish_links
from airflow_batchtx.links.job_card import publish_card
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.planning.tags import automatic_tags
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import policy, wire
from airflow_batchtx.spec.card import JobCard
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.intent import Intent, Try
from airflow_batchtx.spec.job import TransformJob, check
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.model import ModelDefinition
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.options import optional
from airflow_batchtx.spec.policy import OnEmpty, Policy
from airflow_batchtx.spec.prepared import settled
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.templates import Reference, Text, is_open
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.triggers.batch_transform import TIMED_OUT, UNKNOWN, BatchTransformTrigger

Job: TypeAlias = "TransformJob | Mapping[str, Any] | Reference | str"
Model: TypeAlias = "ModelDefinition | Mapping[str, Any] | Reference | str | None"

MODEL_NAME, OUTPUT = (BY_NAME[name].path for name in ("model_name", "output"))


# What an unset parameter renders to is as if it were not there.
_given = optional(str)


class BatchTransformOperator(Traced, ControlledOperator):
    """Run one transform job for one piece of work, and return its TransformResult.

    `job` is a TransformJob or a CreateTransformJob request, in which `TransformJobName` is the beginning of the name.
    Any value in it may be a template or another task's output, and so may all of it (a template must render to JSON).
    What is known is checked when the DAG is parsed, the rest before the job is created.

    The job's name is made of the run and the task alone: a retry, another worker or a clear finds the job that there
    is, and adopts or reuses it. Before a job is created, what it is about to do is written to its control folder,
    `s3://<output bucket>/_batchtx/<job name>/` unless `control_prefix` says otherwise. `job_name`, `job_arn` and
    `output` are XComs of their own as soon as there is a job: `run.output["job_name"]`.

    :param job: the job.
    :param model: a ModelDefinition of the job's model: made if there is none like it, under `ModelName` and a digest of
        its content. With `delete_model` it is this work's own, and deleted once the job has ended.
    :param deferrable: wait in a triggerer, without a worker slot; by default as `[operators] default_deferrable` says.
    :param wait_for_completion: False returns once the job exists.
    :param poll_interval: the longest pause between two looks at the job, in seconds; by default `[batchtx]
        poll_interval`.
    :param include: patterns of paths below the input prefix, in which `*` stands for any text; only those are sent.
    :param exclude: patterns of those that are not. Names beginning with `_` or `.` never are.
    :param on_existing: what to do with the task's own Completed job after a clear: "reuse" it if neither input, model
        nor request have changed and its outputs are there, "rerun" everything once a clear, or "fail".
    :param on_changed: what to do if they have changed: "adopt" the job of an earlier try all the same (after a clear,
        run what changed), "replace" it, or "fail".
    :param on_empty: "fail", or "skip" the task, where there is no input object.
    :param on_quota: "wait" without a worker slot where a quota or throttling keeps the job out, for `quota_timeout`
        seconds at most, or "fail".
    :param on_stopped: "fail", or "accept" the outputs of a job that somebody stopped.
    :param verify: "outputs" makes a task a success only if every input object has its output; or "none".
    :param resume: after a job that failed, send only the objects that have no output yet.
    :param max_runtime: seconds from the job's creation after which it is stopped, and the task fails.
    :param max_cost: money that the job may cost, by the price table, before it is stopped, and the task fails.
    :param instance_types: what to try, in turn, where there is no capacity for the job's instance type.
    :param prices: prices over those that ship with this package: a table, or the path of one.
    :param namespace: tells Airflow deployments apart that share an AWS account; by default `[batchtx] namespace`.
    :param control_prefix: the S3 prefix of control folders; by default `[batchtx] control_prefix`.
    :param logs: show the lines of the containers' logs in the task's log while the job runs.
    :param tag_jobs: tag jobs with DAG, task and run; this needs the permission sagemaker:AddTags.
    """

    # Named as the arguments are: a mapped task finds what it depends on by those names.
    template_fields: Sequence[str] = (
        "job",
        "model",
        *policy.OPTIONS,
        "prices",
        "namespace",
        "control_prefix",
        *ControlledOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"job": "json", "model": "json", "prices": "json"}
    operator_extra_links = LINKS
    ui_color = "#ff9900"
    # Seconds between two tries to create a job that a quota keeps out, give or take half. Airflow fails a try that is
    # back before its worker has told of the end of the last one: 30 at the least, with that half taken away.
    quota_pause: float = QUOTA_PAUSE

    def __init__(  # noqa: PLR0913 - a task's options, by name only
        self,
        *,
        job: Job,
        model: Model = None,
        delete_model: bool = False,
        deferrable: bool | None = None,
        wait_for_completion: bool = True,
        poll_interval: float | None = None,
        include: Any = (),
        exclude: Any = (),
        on_existing: Any = "reuse",
        on_changed: Any = "adopt",
        on_empty: Any = "fail",
        on_quota: Any = "wait",
        quota_timeout: Any = policy.DEFAULTS["quota_timeout"],
        on_stopped: Any = "fail",
        verify: Any = "outputs",
        resume: Any = True,
        max_runtime: Any = None,
        max_cost: Any = None,
        instance_types: Any = (),
        namespace: Text | None = None,
        control_prefix: Text | None = None,
        logs: bool = False,
        tag_jobs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        options = {
            "include": include,
            "exclude": exclude,
            "on_existing": on_existing,
            "on_changed": on_changed,
            "on_empty": on_empty,
            "on_quota": on_quota,
            "quota_timeout": quota_timeout,
            "on_stopped": on_stopped,
            "verify": verify,
            "resume": resume,
            "max_runtime": max_runtime,
            "max_cost": max_cost,
            "instance_types": instance_types,
        }
        for name, value in options.items():
            setattr(self, name, value)
        self.job = _plain(job)
        self.model = _plain(model)
        self.delete_model = delete_model
        self.deferrable = self.defers(deferrable)
        self.wait_for_completion = wait_for_completion
        self.poll_interval = configured_interval(poll_interval)
        self.namespace = namespace
        self.control_prefix = control_prefix
        self.logs = logs
        self.tag_jobs = tag_jobs
        refuse(InvalidJob, f"task {self.task_id}", policy.problems(options))
        if isinstance(job, Mapping):
            check(job)
        elif not isinstance(job, TransformJob) and not is_open(job):
            check(rendered(job))

    _made: frozenset[str] = frozenset()  # the models that are this work's own

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Keep what the job of a mapped task depends on where Airflow looks for it: in plain dictionaries."""
        return super().partial(**kwargs | {name: _plain(kwargs[name]) for name in ("job", "model") if name in kwargs})

    # ------------------------------------------------------------------------------------------------ a task's steps

    def execute(self, context: Context) -> dict[str, Any]:
        """Give the work its job, and wait for it."""
        with self._own_model():
            started = self._started(context)
            if self.wait_for_completion:
                return self._to_end(started, context)
            self._refuse_if_over(started, context)
            described = started.described or self.services.jobs.describe(started.job_name)
            return self.ending(self._policy).result(described, started.on_record).to_dict()

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], try_ends: float | None = None
    ) -> dict[str, Any]:
        """Go on after the trigger's event. What counts is on record: templates may render anew by now."""
        described = looked(self.services, event["job_name"])
        resumed = self._resumed(described, S3Uri.parse(event["record"]))
        with self._own_model(resumed.intent):
            if event["status"] == TIMED_OUT and not ended(described):
                described = enforced(self.services, resumed.job_name, self._limits(described))
                if not ended(described) and try_ends is not None and self.services.clock() >= try_ends:
                    raise self._stopped_late(described)
            if event["status"] == UNKNOWN:
                self._wait_here(resumed.job_name, event.get("reason"))
            return self._to_end(replace(resumed, described=described), context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Stop the job where Airflow has ended the deferral: no trigger is there to do it. Wait here if that broke."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralTimeout, TaskDeferralError) as end:
            described = looked(self.services, self._told(context, "job_name"))
            resumed = self._resumed(described, S3Uri.parse(self._told(context, "control")))
            with self._own_model(resumed.intent):
                if isinstance(end, TaskDeferralError):
                    self._wait_here(resumed.job_name, end)
                elif not ended(described):
                    raise self._stopped_late(described) from end
                return self._to_end(resumed, context)

    def _wait_here(self, job_name: str, reason: object) -> None:
        self.log.warning("The triggerer could not wait for %s: %s", job_name, reason)
        self.deferrable = False

    def _started(self, context: Context) -> Started:
        """Give the work its job, and tell of it; ask Airflow to come again, or to skip the task, where it has to."""
        try:
            with submission.postponing(self.task_id, self._policy):
                assignment = self._assignment(context)
            started = self._submitted(assignment, context)
        except Postponed as postponed:
            raise self._rescheduled(postponed, context) from postponed
        except EmptyInput as empty:
            if self._policy.on_empty is OnEmpty.SKIP:
                raise AirflowSkipException(str(empty)) from empty
            raise
        # The definition may have changed since the job was made, on a model of the one before.
        self._owns(started.intent.model_created if started.intent else None)
        with self.stopping(started.job_name, context):
            self._publish(started, context)
        return started

    def _submitted(self, assignment: Assignment, context: Context) -> Started:
        try:
            return submission.start(self.services, assignment)
        except (AirflowTaskTimeout, WaitInterrupted):
            # It may have come between the call that makes the job and its answer, or beside a job of an earlier try.
            self._killed = False
            if name := submission.running(self.services, assignment):
                with self.stopping(name, context):
                    raise
            raise

    def _resumed(self, described: Described, folder: S3Uri) -> Started:
        """Take up the job that this task was deferred for."""
        job_name = described["TransformJobName"]
        written = Ledger.of(self.services.store, folder).intent(job_name)
        if written is None:
            self.log.warning("What job %s was about to do is not on record any more: nothing can be proved", job_name)
        resumed = Started(
            job_name=job_name,
            job_arn=described["TransformJobArn"],
            origin=Origin.ADOPTED,
            folder=folder,
            output=address(wire.at(described, OUTPUT)),
            intent=written.intent if written else None,
            described=described,
        )
        self._traced(resumed)
        return resumed

    def _told(self, context: Context, key: str) -> str:
        ti = context["ti"]
        told: str = ti.xcom_pull(task_ids=self.task_id, key=key, map_indexes=ti.map_index)
        return told

    def _to_end(self, started: Started, context: Context) -> dict[str, Any]:
        """Wait for the job, and for those after it on other instance types where there is no capacity for its own."""
        return to_end(
            started,
            self._policy,
            start=lambda: self._started(context),
            wait=lambda running: self._waited(running, context),
            conclude=lambda over, described: self._concluded(over, described, context),
        )

    def _waited(self, started: Started, context: Context) -> Described:
        limits = self._limits(started.described or (started.intent.request if started.intent else {}))
        if self.deferrable:
            self._refuse_if_over(started, context)
            self._defer(started, limits, context)
        follower = Follower.of(self.services, started.job_name, started.folder, logs=self.logs)
        with self.stopping(started.job_name, context):
            described = wait(
                self.services,
                started.job_name,
                limits,
                interval=self.poll_interval,
                report=lambda seen: self._log_lines(follower.lines(seen)),
                chance=random.random,
            )
        if self.logs:
            self._log_lines(follower.lines())
        return described

    def _defer(self, started: Started, limits: Limits, context: Context) -> NoReturn:
        now = self.services.clock()
        begun = context["ti"].start_date.timestamp() if context["ti"].start_date else now
        # Airflow itself does not bound a deferral by execution_timeout.
        try_ends = begun + self.execution_timeout.total_seconds() if self.execution_timeout else None
        ends = [end for end in (limits.deadline(started.described, now), try_ends) if end is not None]
        deadline = min(ends, default=None)
        self.defer(
            trigger=BatchTransformTrigger.of(
                self,
                started.job_name,
                interval=self.poll_interval,
                deadline=deadline,
                record=str(started.folder),
                logs=self.logs,
            ),
            method_name=self.execute_complete.__name__,
            kwargs={"try_ends": try_ends},
            timeout=None if deadline is None else timedelta(seconds=max(deadline - now, 0.0) + GRACE),
        )

    def _refuse_if_over(self, started: Started, context: Context) -> None:
        """Stop the job if the task was ended while the job was made: once this process has gone, nobody would."""
        if self._killed or ended_meanwhile(context["ti"]):
            with self.stopping(started.job_name, context):
                raise WaitInterrupted(started.job_name)

    def _concluded(self, started: Started, described: Described, context: Context) -> dict[str, Any]:
        ending = self.ending(self._policy)
        try:
            result = ending.concluded(described, started.on_record)
        except JobFailed as failed:
            result = replace(ending.result(described, started.on_record), objects_done=failed.objects_done)
            self._traced(started, result, failed.objects_done)
            publish_card(context, partial(self._card, result, str(failed)))
            publish_job_metrics(context, self, result)
            raise
        self._traced(started, result, result.objects_done)
        publish_card(context, partial(self._card, result))
        publish_outlets(context, self, result)
        publish_job_metrics(context, self, result)
        self.log.info(
            "Transform job %s %s after %s s of provisioning and %s s of transform",
            result.job_name,
            result.status,
            result.provisioning_seconds,
            result.transform_seconds,
        )
        return result.to_dict()

    # ------------------------------------------------------------------------------------------------------ its parts

    @property
    def _policy(self) -> Policy:
        return Policy.read({name: getattr(self, name) for name in policy.OPTIONS})

    def _assignment(self, context: Context) -> Assignment:
        """Read the rendered task as a piece of work; InvalidJob names all that is wrong with it."""
        request = wire.coerced(rendered(self.job))
        check(request)
        # Whether they can be kept has to be known before anything is made.
        Limits.agreed(self._policy, self.price_table, self.services, request)
        identity = identity_of(context["ti"], _given(self.namespace))
        model = self._model(request, identity)
        assignment = assigned(
            request if model is None else request | {MODEL_NAME: model},
            identity=identity,
            prefix=request.get("TransformJobName") or f"{identity.dag_id}-{identity.task_id}",
            epoch=context["ti"].max_tries,
            policy=self._policy,
            control_prefix=configured_control(_given(self.control_prefix)),
        )
        return replace(
            assignment,
            tried=Try(number=context["ti"].try_number, id=str(context["ti"].id)),
            tags=automatic_tags(request, identity) if self.tag_jobs else {},
            model_created=model if self.delete_model else None,
        )

    def _limits(self, described: Mapping[str, Any]) -> Limits:
        return Limits.of(self._policy, self.price_table, self.services.jobs.region, described)

    def _model(self, request: wire.Request, identity: Identity) -> str | None:
        """Make sure of the model that the task defines, and give its name; None where it defines none."""
        if self.model is None:
            return None
        definition = ModelDefinition.read(_definition(self.model))
        # A model that will be deleted is this work's own: others may define just the same one.
        prefix = f"{identity.digest}-{request[MODEL_NAME]}" if self.delete_model else request[MODEL_NAME]
        name = ensure_model(self.services.models, definition, prefix=prefix).name
        self._owns(name if self.delete_model else None)
        return name

    def _owns(self, model: str | None) -> None:
        self._made |= {model} if model else set()

    @contextmanager
    def _own_model(self, intent: Intent | None = None) -> Iterator[None]:
        """Delete the work's own models once nobody needs them: not at a pause, or where the job is left running."""
        self._made = frozenset()
        self._owns(intent.model_created if intent else None)
        try:
            yield
        except (TaskDeferred, AirflowRescheduleException):
            raise
        except WaitInterrupted as cut:
            if cut.stopped is not False:
                self._forget_models()
            raise
        except BaseException:
            self._forget_models()
            raise
        if self.wait_for_completion:
            self._forget_models()

    def _forget_models(self) -> None:
        for model in self._made:
            forget(self.services.models, model)

    def given_request(self) -> wire.Request:
        """Give the request of the rendered task, its input settled."""
        return settled(wire.coerced(rendered(self.job)))[0]

    def _traced(self, started: Started, result: TransformResult | None = None, done: int | None = None) -> None:
        """Let OpenLineage know as much as there is to know by now."""
        self.trace = Trace(
            job_name=started.job_name,
            job_arn=started.job_arn,
            intent=started.intent,
            result=result,
            objects_done=done,
        )

    def _publish(self, started: Started, context: Context) -> None:
        """Let everybody know the job as soon as there is one."""
        known = {
            "job_name": started.job_name,
            "job_arn": started.job_arn,
            "output": str(started.output),
            "control": str(started.folder),
        }
        for key, value in known.items():
            context["ti"].xcom_push(key=key, value=value)
        self._traced(started)
        publish_links(context, started.job_name, started.output, self.services.jobs)
        publish_card(context, lambda: self._card(self._as_it_is(started)))
        self.log.info("Transform job %(job_name)s (%(job_arn)s) writes to %(output)s", known)

    def _as_it_is(self, started: Started) -> TransformResult:
        """Describe a job that may have been made just now, without asking SageMaker for it."""
        made = {
            "TransformJobName": started.job_name,
            "TransformJobArn": started.job_arn,
            "TransformJobStatus": JobStatus.IN_PROGRESS.value,
            "CreationTime": datetime.fromtimestamp(self.services.clock(), timezone.utc),
        }
        request = started.intent.request if started.intent else {}
        return self.ending(self._policy).result(started.described or {**request, **made}, started.on_record)

    def _card(self, result: TransformResult, reason: str = "") -> JobCard:
        price = self.price_table.price(self.services.jobs.region, result.instance_type)
        return JobCard(
            result=result,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.ssl_verify,
            per_hour=price.per_hour if price else None,
            currency=price.currency if price else None,
            reason=reason,
        )

    def _rescheduled(self, postponed: Postponed, context: Context) -> Exception:
        """Come again later without a worker slot; give up what has waited for too long."""
        now = datetime.fromtimestamp(self.services.clock(), timezone.utc)
        meant = datetime.fromisoformat(postponed.since) if postponed.since else None
        since = meant or context["ti"].get_first_reschedule_date(context) or now
        waited = (now - since).total_seconds()
        pause = next_try(postponed, self._policy, waited, random.random(), pause=self.quota_pause)  # noqa: S311
        self.log.warning("%s. Trying again in about %.0f s.", postponed, pause)
        return AirflowRescheduleException(now + timedelta(seconds=pause))  # type: ignore[no-untyped-call]

    def _stopped_late(self, described: Described) -> JobTimedOut:
        """Stop a job for which the time of this try is over."""
        name = described["TransformJobName"]
        stopped = stop(self.services, name)
        seconds = self.services.clock() - described["CreationTime"].timestamp()
        return JobTimedOut(name, seconds, stopped=stopped)

    def _log_lines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.log.info("%s", line)


class BatchTransformStopOperator(ControlledOperator):
    """Stop a transform job, and return its TransformResult; one that has ended already is left as it is.

    `job_name` is a name, or the result of a BatchTransformOperator. With `wait_for_completion` the task waits until
    the job has ended, for `timeout` seconds at most (None for as long as it takes).
    """

    template_fields: Sequence[str] = ("job_name", *ControlledOperator.template_fields)
    ui_color = "#ff9900"

    def __init__(
        self,
        *,
        job_name: Text | Mapping[str, Any],
        wait_for_completion: bool = True,
        poll_interval: float | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.wait_for_completion = wait_for_completion
        self.poll_interval = configured_interval(poll_interval)
        self.timeout = timeout

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Ask SageMaker to stop the job."""
        name = named(self.job_name)
        stop(self.services, name)
        if self.wait_for_completion:
            described = outwait(self.services, name, interval=self.poll_interval, timeout=self.timeout)
        else:
            described = self.services.jobs.describe(name)
        return self.ending(Policy()).result(described, None).to_dict()


def rendered(job: object) -> wire.Request:
    """Read what Airflow has made of a task's `job` as a request; InvalidJob where it is none."""
    if isinstance(job, str):
        with contextlib.suppress(ValueError):
            job = json.loads(job)
    request = _plain(job)
    if not isinstance(request, Mapping):
        remedy = "Give a TransformJob, a CreateTransformJob request, or a template that renders to one as JSON."
        raise InvalidJob("transform job", (Problem("job", type(job).__name__, "is no transform job", remedy),))
    return dict(request)


def _definition(model: object) -> Mapping[str, Any]:
    """Read what Airflow has made of a task's `model`."""
    if isinstance(model, str):
        with contextlib.suppress(ValueError):
            model = json.loads(model)
    if not isinstance(model, Mapping):
        remedy = "Give a ModelDefinition, what its to_dict() gives, or a template that renders to that as JSON."
        raise InvalidJob("model", (Problem("model", type(model).__name__, "is no model definition", remedy),))
    return model


def _plain(job: Any) -> Any:
    match job:
        case TransformJob():
            return job.to_request()
        case ModelDefinition():
            return job.to_dict()
        case _:
            return job
