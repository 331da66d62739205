"""Transform jobs as tasks: create and wait for one, stop one."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from airflow.sdk import Context, conf

from airflow_batchtx.control.waiting import POLL_INTERVAL, named, outcome, result
from airflow_batchtx.errors import InvalidJob, JobNameTaken, JobNotFound, Problem
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.job import TransformJob, check
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.naming import Identity, job_name
from airflow_batchtx.spec.prepared import PreparedInput, settled
from airflow_batchtx.spec.templates import Reference, Text, is_open
from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger, resumed

Job: TypeAlias = "TransformJob | Mapping[str, Any] | Reference | str"


class BatchTransformOperator(ConnectedOperator):
    """Run a transform job, and return its TransformResult.

    `job` is a TransformJob or a CreateTransformJob request, in which `TransformJobName` is the beginning of the name.
    Any value in it may be a template or another task's output, and so may all of it (a template must render to JSON).
    What is known is checked when the DAG is parsed, the rest before the job is created.

    The job's name is made of the run and the task alone, so a second try finds the job of the first one and adopts it.
    `poll_interval` is the longest pause between two looks, `timeout` how long one try waits, both in seconds; None
    waits for as long as it takes. At its timeout the task fails with JobTimedOut, and the job runs on.
    With `deferrable` the wait takes no worker slot; the default is Airflow's `[operators] default_deferrable`.
    Without `wait_for_completion` the task returns once the job exists. `job_name`, `job_arn` and `output` are XComs of
    their own as soon as there is a job: `run.output["job_name"]`.
    """

    # Named as the argument is: a mapped task finds what it depends on by that name.
    template_fields: Sequence[str] = ("job", *ConnectedOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"job": "json"}
    ui_color = "#ff9900"

    def __init__(
        self,
        *,
        job: Job,
        deferrable: bool | None = None,
        wait_for_completion: bool = True,
        poll_interval: float = POLL_INTERVAL,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(job, Mapping):
            check(job)
        elif not isinstance(job, TransformJob) and not is_open(job):
            check(rendered(job))
        self.job = _plain(job)
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.timeout = timeout

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Keep what the job of a mapped task depends on where Airflow looks for it: in plain dictionaries."""
        return super().partial(**kwargs | ({"job": _plain(kwargs["job"])} if "job" in kwargs else {}))

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the job, or adopt the one that an earlier try created, and wait for it."""
        check(rendered(self.job))
        request, prepared = self._settled()
        started = self._started(request, _names(request, context["ti"]))
        name, output = started["TransformJobName"], wire.at(started, BY_NAME["output"].path)
        known = {"job_name": name, "job_arn": started["TransformJobArn"], "output": output}
        for key, value in known.items():
            context["ti"].xcom_push(key=key, value=value)
        self.log.info("Transform job %(job_name)s (%(job_arn)s) writes to %(output)s", known)
        if not self.wait_for_completion:
            return result(self.hook.describe(name), prepared).to_dict()
        if self.deferrable:
            deadline = None if self.timeout is None else time.time() + self.timeout
            trigger = BatchTransformTrigger.of(self, name, interval=self.poll_interval, deadline=deadline)
            self.defer(trigger=trigger, method_name=self.execute_complete.__name__)
        return self._ended(self.hook.wait(name, interval=self.poll_interval, timeout=self.timeout), prepared)

    def execute_complete(self, context: Context, event: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        """Go on after the trigger's event; the job's name comes from it, since templates may render anew."""
        described = resumed(event, self.hook, interval=self.poll_interval, timeout=self.timeout)
        return self._ended(described, self._settled()[1])

    def _ended(self, described: Described, prepared: PreparedInput | None) -> dict[str, Any]:
        ended = outcome(described, prepared)
        self.log.info("Transform job %s %s after %s s", ended.job_name, ended.status, ended.transform_seconds)
        return ended.to_dict()

    def _settled(self) -> tuple[wire.Request, PreparedInput | None]:
        """Give the rendered job in AWS's types and with what its input brings along."""
        return settled(wire.coerced(rendered(self.job)))

    def _started(self, request: wire.Request, names: Iterator[str]) -> Described:
        """Create the job under the first free name, or adopt the one that is running under a name before it."""
        while True:
            name = next(names)
            if (found := self._found(name)) is None:
                if created := self._created({**request, "TransformJobName": name}):
                    return created
                # A twin of this task was quicker, or the answer to an earlier call was lost on its way.
                found = self.hook.describe(name)
            status = found["TransformJobStatus"]
            if status == JobStatus.IN_PROGRESS:
                self.log.info("Adopted transform job %s: an earlier try created it, and it is running", name)
                return found
            self.log.info("Transform job %s of an earlier try is %s: a new one is needed", name, status)

    def _found(self, name: str) -> Described | None:
        try:
            return self.hook.describe(name)
        except JobNotFound:
            return None

    def _created(self, request: wire.Request) -> Described | None:
        try:
            arn = self.hook.create(request)
        except JobNameTaken:
            return None
        self.log.info("Created transform job %s", request["TransformJobName"])
        return {**request, "TransformJobArn": arn}


class BatchTransformStopOperator(ConnectedOperator):
    """Stop a transform job, and return its TransformResult; one that has ended already is left as it is.

    `job_name` is a name, or the result of a BatchTransformOperator. With `wait_for_completion` the task waits until
    the job has ended, for `timeout` seconds at most (None for as long as it takes).
    """

    template_fields: Sequence[str] = ("job_name", *ConnectedOperator.template_fields)
    ui_color = "#ff9900"

    def __init__(
        self,
        *,
        job_name: Text | Mapping[str, Any],
        wait_for_completion: bool = True,
        poll_interval: float = POLL_INTERVAL,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.timeout = timeout

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Ask SageMaker to stop the job."""
        name = named(self.job_name)
        asked = self.hook.stop(name)
        self.log.info("Transform job %s %s", name, "is asked to stop" if asked else "has ended or is stopping already")
        if self.wait_for_completion:
            return result(self.hook.wait(name, interval=self.poll_interval, timeout=self.timeout)).to_dict()
        return result(self.hook.describe(name)).to_dict()


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


def _plain(job: Any) -> Any:
    return job.to_request() if isinstance(job, TransformJob) else job


def _names(request: wire.Request, ti: Any) -> Iterator[str]:
    """Yield the names that the job of this task instance may have: the first try's, then those after vain ones."""
    identity = Identity(
        namespace=_namespace(), dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
    )
    prefix = request.get("TransformJobName") or f"{ti.dag_id}-{ti.task_id}"
    return (job_name(prefix, identity, attempt) for attempt in itertools.count(1))


def _namespace() -> str:
    """Tell this Airflow deployment from others in the account: by its address, the one thing all its parts share."""
    return conf.get("api", "base_url", fallback=None) or ""
