"""What will go wrong with a job, before there is one: all problems at once, of what it says and of where it will run.

Nothing here has an effect: what may be done is told by calls that can only fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_batchtx.control.assigning import control_of
from airflow_batchtx.control.doubts import doubts
from airflow_batchtx.control.drafting import heads, inputs_of
from airflow_batchtx.control.limits import Limits
from airflow_batchtx.control.prices import price_table
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import (
    AccessDenied,
    BatchTransformError,
    InvalidInput,
    JobNotFound,
    JobRefused,
    LogsUnavailable,
    ModelNotFound,
    ObjectChanged,
    Problem,
    ServiceUnavailable,
    StorageError,
)
from airflow_batchtx.planning import preflight
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.sagemaker.failures import typed_errors
from airflow_batchtx.spec import policy, wire
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.model import ModelDefinition
from airflow_batchtx.spec.options import read_options
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prepared import INPUT_PATH, settled
from airflow_batchtx.spec.templates import is_open
from airflow_batchtx.spec.uri import S3Uri

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

# No job is called so, and no object: their absence is what tells that one may ask for them.
NO_JOB, NO_OBJECT = "batchtx-check-there-is-no-such-job", ".batchtx-check"
NO_ETAG = '"00000000000000000000000000000000"'

INSTANCE_TYPE = BY_NAME["instance_type"].path
_INPUT, _OUTPUT, _MODEL = (BY_NAME[name].label for name in ("input", "output", "model_name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A job as it is written down; templates may stand in it.

    `options` are those of job control, by name. `model` is the definition of a model that the job brings, `prices` what
    goes over the prices of this package (see control.prices).
    """

    request: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    control_prefix: str | None = None
    model: Mapping[str, Any] | None = None
    prices: Mapping[str, Any] | str | None = None

    @property
    def values(self) -> Mapping[str, Any]:
        """The members of the job by our names, as far as they are known; a prepared input with all that it brings."""
        values = wire.flat(settled(wire.coerced(self.request))[0])
        return {name: value for name, value in values.items() if not is_open(value)}

    @property
    def policy(self) -> Policy:
        """The options that are known and right, and defaults for the others."""
        return Policy(**read_options(policy.OPTIONS, {**policy.DEFAULTS, **self.options})[0])

    @property
    def control(self) -> S3Uri | None:
        """Where attempts are kept; None where that is not known."""
        if is_open(self.control_prefix):
            return None
        output = _place(self.values.get("output"))
        if output is None and not self.control_prefix:
            return None
        try:
            return control_of(output or S3Uri(""), self.control_prefix)
        except InvalidInput:
            return None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and what looks wrong and may be right."""

    problems: tuple[Problem, ...]
    doubts: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the job is to run. `client` is SageMaker's, for the one question that `services` cannot put."""

    services: Services
    client: SageMakerClient


def offline(subject: Subject) -> Findings:
    """Look at what is written down; AWS is not asked."""
    facts = preflight.Facts(request=subject.request, control=subject.control)
    return Findings((*_written(subject), *preflight.problems(facts)), doubts(facts))


def online(subject: Subject, account: Account) -> Findings:
    """Look at what is written down, and at AWS: the model, the input, and what the credentials may do.

    What is only known once Airflow has rendered it is passed over.
    """
    before = offline(subject)
    wrong = {problem.field for problem in before.problems}
    scene = _Scene(subject, account, wrong)
    found = [*_answers(scene, PROBLEMS)]
    facts, told = _facts(scene)
    problems = (*_written(subject), *preflight.problems(facts), *told, *found)
    return Findings(problems, (*doubts(facts), *_answers(scene, DOUBTS)))


def reachable(services: Services) -> ServiceUnavailable | None:
    """Tell whether SageMaker answers at all; else why not."""
    try:
        services.jobs.describe(NO_JOB)
    except ServiceUnavailable as error:
        return error
    except (JobNotFound, JobRefused):
        pass
    return None


# ----------------------------------------------------------------------------------------------- what is written


def _written(subject: Subject) -> Iterator[Problem]:
    """Look at what stands beside the request."""
    yield from policy.problems({**policy.DEFAULTS, **subject.options})
    if subject.control_prefix and not is_open(subject.control_prefix):
        yield from _raised(lambda: control_of(S3Uri(""), subject.control_prefix))
    if subject.model is not None:
        definition = subject.model
        yield from _raised(lambda: ModelDefinition.read(definition))
    if not is_open(subject.prices):
        yield from _raised(lambda: price_table(subject.prices))


def _raised(act: Callable[[], object]) -> Iterator[Problem]:
    try:
        act()
    except InvalidInput as error:
        yield from error.problems


# ------------------------------------------------------------------------------------------------ what is there


@dataclass(frozen=True, slots=True)
class _Scene:
    """A job, the account, and the fields that are known to be wrong already."""

    subject: Subject
    account: Account
    wrong: set[str]

    @property
    def services(self) -> Services:
        return self.account.services


Question: TypeAlias = Callable[[_Scene], Iterator[Problem]]


def _answers(scene: _Scene, questions: Iterable[Question]) -> Iterator[Problem]:
    for question in questions:
        yield from question(scene)


def _facts(scene: _Scene) -> tuple[preflight.Facts, tuple[Problem, ...]]:
    """Look at the input, where it is known."""
    subject, store = scene.subject, scene.services.store
    facts = preflight.Facts(request=subject.request, control=subject.control)
    request, prepared = settled(wire.coerced(subject.request))
    source = wire.at(request, INPUT_PATH)
    if is_open(source) or scene.wrong & {_INPUT, BY_NAME["s3_data_type"].label}:
        return facts, ()
    try:
        inputs = inputs_of(store, request, prepared, subject.policy)
        sampled = heads(store, request, inputs)
    except StorageError as error:
        return facts, (_refused(_INPUT, source, error, "s3:ListBucket and s3:GetObject"),)
    except InvalidInput as error:
        return facts, error.problems
    except BatchTransformError as error:
        return facts, (Problem(_INPUT, source, str(error), "Look at the manifest."),)
    return preflight.Facts(request=subject.request, inputs=inputs, control=subject.control, heads=sampled), ()


def _model(scene: _Scene) -> Iterator[Problem]:
    """Ask for the model; of one that the job brings, for the packages that it is made of."""
    name, models = scene.subject.values.get("model_name"), scene.services.models
    try:
        if scene.subject.model is not None:
            ModelDefinition.read(scene.subject.model).resolved(models.latest_package)
        elif name is not None and _MODEL not in scene.wrong:
            models.describe(name)
    except InvalidInput:
        return  # told already
    except ModelNotFound as error:
        yield Problem(_MODEL, name, str(error).rstrip("."), "Create it, or look at the account and the Region.")
    except BatchTransformError as error:
        yield Problem(_MODEL, name, str(error).rstrip("."), "Allow sagemaker:DescribeModel, or give another.")


def _limit(scene: _Scene) -> Iterator[Problem]:
    """Look for the prices that a bound of money needs: of the job's instance type, and of each that may follow it."""
    subject, region = scene.subject, scene.services.jobs.region
    if "prices" in scene.wrong or not {"instance_type", "instance_count"} <= subject.values.keys():
        return
    if is_open(subject.prices):
        return
    prices, policy = price_table(subject.prices), subject.policy
    for name in dict.fromkeys((subject.values["instance_type"], *policy.instance_types)):
        request = wire.coerced(subject.request)
        wire.put(request, INSTANCE_TYPE, name)
        yield from _raised(partial(Limits.of, policy, prices, region, request))


def _describing(scene: _Scene) -> Iterator[Problem]:
    try:
        scene.services.jobs.describe(NO_JOB)
    except JobNotFound:
        return
    except (JobRefused, ServiceUnavailable) as error:
        yield _denied("DescribeTransformJob", error)


def _stopping(scene: _Scene) -> Iterator[Problem]:
    try:
        with typed_errors(NO_JOB):
            scene.account.client.stop_transform_job(TransformJobName=NO_JOB)
    except JobNotFound:
        return
    except (JobRefused, ServiceUnavailable) as error:
        # What an account may not do, it may not do with any name; that there is no such job is said by this code.
        if error.code != "ValidationException":
            yield _denied("StopTransformJob", error)


def _output(scene: _Scene) -> Iterator[Problem]:
    output = _place(scene.subject.values.get("output"))
    if output is None or _OUTPUT in scene.wrong:
        return
    try:
        next(iter(scene.services.store.objects(output.as_folder())), None)
    except StorageError as error:
        yield _refused(_OUTPUT, str(output), error, "s3:ListBucket")


def _control(scene: _Scene) -> Iterator[Problem]:
    """Try to write where attempts are kept: in the place of an object that is not there, which cannot be done."""
    control, store = scene.subject.control, scene.services.store
    if control is None:
        return
    uri = control.as_folder() / NO_OBJECT
    try:
        store.put(uri, b"", if_match=NO_ETAG)
        store.delete([uri])  # a store that knows no conditions has written it
    except ObjectChanged:
        return
    except StorageError as error:
        yield _refused("control_prefix", str(control), error, "s3:PutObject and s3:GetObject")


def _logs(scene: _Scene) -> Iterator[Problem]:
    try:
        scene.services.logs.streams(NO_JOB)
    except LogsUnavailable as error:
        remedy = "Allow logs:DescribeLogStreams and logs:GetLogEvents: else a failed job cannot be explained."
        yield Problem("logs", error.code, f"may not be read: {error.detail.rstrip('.')}", remedy)
    except ServiceUnavailable as error:
        yield Problem("logs", error.code, str(error).rstrip("."), "Try again later.")


PROBLEMS: Sequence[Question] = (_model, _limit, _describing, _stopping, _output, _control)
DOUBTS: Sequence[Question] = (_logs,)


def _place(value: Any) -> S3Uri | None:
    try:
        return address(value)
    except (TypeError, ValueError):
        return None


def _denied(operation: str, error: JobRefused | ServiceUnavailable) -> Problem:
    remedy = "Try again later." if isinstance(error, ServiceUnavailable) else f"Allow sagemaker:{operation}."
    return Problem(operation, error.code, f"is refused: {error.detail.rstrip('.')}", remedy)


def _refused(label: str, value: object, error: StorageError, needed: str) -> Problem:
    remedy = f"Allow {needed} there." if isinstance(error, AccessDenied) else "Look at the bucket, and at the Region."
    return Problem(label, value, f"{error.detail.rstrip('.')} ({error.code}) at {error.uri}", remedy)
