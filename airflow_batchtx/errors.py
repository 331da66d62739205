"""Every exception that this package raises: one root, typed children that carry data.

An error's fields are its contract; its text is for people only and may change. Errors are dataclasses, so they
survive pickling between a worker, its supervisor and the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class BatchTransformError(Exception):
    """The root of all errors of this package."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own __reduce__ replays `args`, which a dataclass with keyword fields leaves incomplete.
        return _rebuilt, (type(self), {member.name: getattr(self, member.name) for member in fields(self)})  # type: ignore[arg-type]


def _rebuilt(kind: type[BatchTransformError], data: dict[str, Any]) -> BatchTransformError:
    return kind(**data)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: which field, its value, the rule it breaks and the way out."""

    field: str
    value: object
    rule: str
    remedy: str

    def __str__(self) -> str:
        shown = repr(self.value)
        return f"{self.field} = {shown if len(shown) <= 120 else shown[:117] + '...'}: {self.rule}. {self.remedy}"


@dataclass(eq=False)
class InvalidInput(BatchTransformError, ValueError):
    """Something that the caller wrote cannot work; `problems` lists everything that is wrong with it."""

    subject: str
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        count = len(self.problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        return f"{self.subject}: {count} problem{'s' * (count != 1)}{lines}"


@dataclass(eq=False)
class InvalidJob(InvalidInput):
    """A transform job that SageMaker would refuse, or that could not do what it says."""


@dataclass(eq=False)
class InvalidModel(InvalidInput):
    """A model's definition that SageMaker would refuse, or that no transform job could run."""


def refuse(kind: type[InvalidInput], subject: str, problems: Iterable[Problem]) -> None:
    """Raise `kind` with every problem, if there is any."""
    if found := tuple(problems):
        raise kind(subject, found)


# ---------------------------------------------------------------------------------------------- objects in S3


@dataclass(eq=False)
class StorageError(BatchTransformError):
    """S3 refused or failed; `code` is its error code and `uri` what was asked for."""

    uri: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.uri}: {self.detail} ({self.code})"


@dataclass(eq=False)
class ObjectNotFound(StorageError):
    """There is no such object."""


@dataclass(eq=False)
class BucketNotFound(StorageError):
    """There is no such bucket."""


@dataclass(eq=False)
class ObjectChanged(StorageError):
    """There is such an object already, or it is not, or no longer, the one that was read."""

    def __str__(self) -> str:
        return f"{self.uri} is there already, or is not the object that was read: {self.detail} ({self.code})"


@dataclass(eq=False)
class AccessDenied(StorageError):
    """The credentials may not do this."""


# ------------------------------------------------------------------------------------------- records in bytes


@dataclass(eq=False)
class RecordError(BatchTransformError):
    """Bytes that do not hold the records that they should; the text is what SageMaker's data log would say."""

    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False)
class RecordTooLarge(RecordError):
    """One record does not fit in a payload. `offset` is a byte at or before its start, `size` what it has at least."""

    offset: int
    size: int
    limit: int


@dataclass(eq=False)
class MalformedRecord(RecordError):
    """A payload or an answer does not parse in the type that it is said to have."""


@dataclass(eq=False)
class InvalidManifest(RecordError):
    """An input manifest that names no objects, or not in the form that SageMaker knows."""


@dataclass(eq=False)
class CountMismatch(RecordError):
    """A model answered with more or fewer records than it was sent."""

    sent: int
    answered: int


@dataclass(eq=False)
class InvalidJsonPath(RecordError):
    """A filter that SageMaker does not accept, or that does not fit the record. `path` is the filter."""

    path: str


# ----------------------------------------------------------------------------------------------- model servers


@dataclass(eq=False)
class ModelServerError(BatchTransformError):
    """The model server broke its contract. `status` is its HTTP status, None where there was no answer."""

    detail: str
    status: int | None = None
    body: str = ""

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False)
class ModelRefused(ModelServerError):
    """The model answered 4xx: the request is to blame (SageMaker's ClientError)."""


@dataclass(eq=False)
class ModelFailed(ModelServerError):
    """The model answered 5xx or not at all, after all retries (SageMaker's AlgorithmError)."""


@dataclass(eq=False)
class ModelNotReady(ModelServerError):
    """The model server never answered a ping with 200."""


@dataclass(eq=False)
class InvalidModelData(ModelServerError):
    """A model's container definition or archive that cannot be served: no tar.gz, or no code in it."""


# ------------------------------------------------------------------------------------- SageMaker's model registry


@dataclass(eq=False)
class ModelNotFound(BatchTransformError):
    """There is no model of this name in the account and Region."""

    model_name: str

    def __str__(self) -> str:
        return f"There is no model {self.model_name!r} in this account and Region."


@dataclass(eq=False)
class ModelNameTaken(BatchTransformError):
    """A model of this name exists already."""

    model_name: str

    def __str__(self) -> str:
        return f"A model {self.model_name!r} exists already."


@dataclass(eq=False)
class ModelConflict(BatchTransformError):
    """A model has the name that its content would give another one; `members` are those in which the two differ."""

    model_name: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return f"Model {self.model_name!r} exists, and is not what its name says: {', '.join(self.members)} differ."


@dataclass(eq=False)
class ModelCallRefused(BatchTransformError):
    """SageMaker refuses a call about a model or a package, and would refuse it again; `code` is its error code."""

    name: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"Model or model package {self.name!r}: {self.detail} ({self.code})"


@dataclass(eq=False)
class ModelRequestInvalid(ModelCallRefused):
    """A request to make a model, or about one, that would be invalid another time as well."""


@dataclass(eq=False)
class PackageNotFound(BatchTransformError):
    """There is no such model package or group, or the group has none of this approval `status`."""

    name: str
    status: str | None = None

    def __str__(self) -> str:
        if self.status is None:
            return f"There is no model package or group {self.name!r} in this account and Region."
        return f"Model package group {self.name!r} has no completed model package that is {self.status}."


# ---------------------------------------------------------------------------------------------- transform jobs


@dataclass(eq=False)
class JobNotFound(BatchTransformError):
    """There is no transform job of this name in the account and Region."""

    job_name: str

    def __str__(self) -> str:
        return f"There is no transform job {self.job_name!r} in this account and Region."


@dataclass(eq=False)
class JobNameTaken(BatchTransformError):
    """A transform job of this name exists already; names are unique for ever."""

    job_name: str

    def __str__(self) -> str:
        return f"A transform job {self.job_name!r} exists already."


@dataclass(eq=False)
class QuotaExceeded(BatchTransformError):
    """The account may not run so many instances of this type now."""

    job_name: str
    detail: str

    def __str__(self) -> str:
        return f"Transform job {self.job_name!r} was not created: {self.detail}"


@dataclass(eq=False)
class JobRefused(BatchTransformError):
    """SageMaker refuses a call about a transform job, and would refuse it again; `code` is its error code."""

    job_name: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"Transform job {self.job_name!r}: {self.detail} ({self.code})"


@dataclass(eq=False)
class JobRequestInvalid(JobRefused):
    """A request to make a transform job, or about one, that would be invalid another time as well."""


@dataclass(eq=False)
class ServiceUnavailable(BatchTransformError):
    """AWS could not be asked just now: throttled, unreachable or failing. The same call may do later.

    `name` says what was asked for, and `kind` what that is.
    """

    name: str
    code: str
    detail: str
    kind: str = "transform job"

    def __str__(self) -> str:
        return f"AWS could not be asked about {self.kind} {self.name!r}: {self.detail} ({self.code})"


@dataclass(eq=False)
class Throttled(ServiceUnavailable):
    """AWS takes no more calls of this kind just now; it is well, and the same call will do later."""


@dataclass(eq=False)
class JobTimedOut(BatchTransformError):
    """The wait for a job ended at its deadline. `stopped` tells whether the job was asked to stop; else it runs on."""

    job_name: str
    seconds: float
    stopped: bool = False

    def __str__(self) -> str:
        now = "it is asked to stop" if self.stopped else "it may still be running"
        return f"Transform job {self.job_name!r} had not ended after {self.seconds:.0f} s; {now}."


# How much of a job's logs its error shows.
_SHOWN_OBJECTS, _SHOWN_LINES, _SHOWN_TEXT = 5, 15, 300


def in_brief(text: str) -> str:
    """Give a text on one line; of a long one its two ends, since a traceback's last line tells most."""
    line, half = " ".join(text.split()), _SHOWN_TEXT // 2
    return line if len(line) <= _SHOWN_TEXT else f"{line[:half]} ... {line[-half:]}"


@dataclass(frozen=True, slots=True)
class FailedObject:
    """An input object that failed its job: the HTTP status of the model's answer, and its words.

    Without a status (None) there was no answer, or the object never got to the model; then the words are SageMaker's.
    """

    uri: str
    status: int | None
    words: str

    def __str__(self) -> str:
        parts = [self.uri, "" if self.status is None else f"HTTP {self.status}", in_brief(self.words)]
        return ": ".join(filter(None, parts))


@dataclass(eq=False)
class JobFailed(BatchTransformError):
    """A transform job ended without success. `reason` is SageMaker's FailureReason.

    `objects` are the first inputs that failed, `excerpt` lines of the job's logs beside what they say of these objects,
    and `note` what to do about it, or why the logs tell nothing: all empty where nobody has looked at the logs.
    `objects_done` counts the inputs that have their output all the same, None where nobody has looked.
    """

    job_name: str
    reason: str = ""
    objects: tuple[FailedObject, ...] = ()
    excerpt: tuple[str, ...] = ()
    note: str = ""
    objects_done: int | None = None

    def __str__(self) -> str:
        shown = [str(one) for one in self.objects[:_SHOWN_OBJECTS]]
        if more := len(self.objects) - len(shown):
            shown.append(f"and {more} more objects")
        told = [*shown, *filter(None, [self.note]), *self.excerpt[-_SHOWN_LINES:]]
        head = f"Transform job {self.job_name!r} failed: {self.reason or 'no reason given'}"
        return "\n  ".join([head, *told])


@dataclass(eq=False)
class JobClientError(JobFailed):
    """The input, the request or a limit is to blame (ClientError)."""


@dataclass(eq=False)
class JobAlgorithmError(JobFailed):
    """The model container is to blame (AlgorithmError)."""


@dataclass(eq=False)
class JobCapacityError(JobFailed):
    """AWS had no instances of the type left (CapacityError)."""


@dataclass(eq=False)
class JobInternalServerError(JobFailed):
    """SageMaker itself failed (InternalServerError)."""


@dataclass(eq=False)
class JobStopped(JobFailed):
    """The job was stopped before it ended."""

    def __str__(self) -> str:
        return f"Transform job {self.job_name!r} was stopped before it ended; its output is not complete."


@dataclass(eq=False)
class OutputIncomplete(JobFailed):
    """A job Completed, but not every input object has its output. `missing` are the first inputs, of `count`."""

    missing: tuple[str, ...] = ()
    count: int = 0
    total: int = 0

    def __str__(self) -> str:
        first = ", ".join(self.missing)
        return (
            f"Transform job {self.job_name!r} Completed, but {self.count} of {self.total} input objects have no output"
            f" that it wrote: {first}{', ...' if self.count > len(self.missing) else ''}"
        )


@dataclass(eq=False)
class JobConflict(BatchTransformError):
    """A job of this name exists, and may be neither used nor replaced. `differences` say what differs."""

    job_name: str
    why: str
    differences: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = "".join(f"\n  - {difference}" for difference in self.differences)
        return f"Transform job {self.job_name!r} exists: {self.why}.{listed}"


@dataclass(eq=False)
class EmptyInput(BatchTransformError):
    """There is no input object. `empty` counts objects of 0 bytes, `left_out` those that patterns keep out."""

    uri: str
    empty: int = 0
    left_out: int = 0

    def __str__(self) -> str:
        beside = f" ({self.empty} are empty, {self.left_out} are left out)" if self.empty or self.left_out else ""
        return f"There is no object to transform in {self.uri}{beside}."


@dataclass(eq=False)
class Postponed(BatchTransformError):
    """No job could be created now, by `reason`, but one may be later.

    `since` is when the job was first meant to be made (ISO 8601), None where it did not come to that.
    """

    job_name: str
    reason: str
    since: str | None = None

    def __str__(self) -> str:
        # AWS's own reasons end with a full stop, ours do not.
        return f"Transform job {self.job_name!r} has to wait: {self.reason.rstrip('.')}"


@dataclass(eq=False)
class WaitInterrupted(BatchTransformError):
    """The process that waited for a job is to end.

    `stopped` tells whether the job was asked to stop for that; None where the job was none of the wait's business, or
    was ending anyway. `job_name` is empty where there was no job yet.
    """

    job_name: str
    stopped: bool | None = None

    def __str__(self) -> str:
        job = f"transform job {self.job_name!r}" if self.job_name else "a transform job"
        now = {
            True: "the job is asked to stop",
            False: "the job runs on, and the next try adopts it",
            None: "nothing more is asked of the job",
        }
        return f"The wait for {job} was interrupted; {now[self.stopped]}."


@dataclass(eq=False)
class LogsUnavailable(BatchTransformError):
    """CloudWatch refuses to show a job's logs, and would refuse it again; `code` is its error code."""

    job_name: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"The logs of transform job {self.job_name!r} cannot be read: {self.detail} ({self.code})"


@dataclass(eq=False)
class LogsNotFound(LogsUnavailable):
    """There is no such log group or stream, or not yet."""


@dataclass(eq=False)
class InvalidFaults(InvalidInput):
    """Faults asked of the local engine that it does not know."""


# ---------------------------------------------------------------------------------------------- state machines


@dataclass(eq=False)
class StateMachineRefused(BatchTransformError):
    """Step Functions refuses a call about a state machine or an execution; `code` is its error code."""

    name: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"State machine or execution {self.name!r}: {self.detail} ({self.code})"


@dataclass(eq=False)
class ExecutionFailed(BatchTransformError):
    """An execution ended without a Completed job. `error` is the class of the job's failure, or of a call's."""

    execution_arn: str
    status: str
    error: str
    cause: str

    def __str__(self) -> str:
        return (
            f"Execution {self.execution_arn} is {self.status}: {self.error or 'no error told'}. {self.cause}".rstrip()
        )


# ----------------------------------------------------------------------------------------------------- queues


@dataclass(eq=False)
class QueueRefused(BatchTransformError):
    """SQS refuses a call about a queue, which may not be there; `code` is its error code."""

    name: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"Queue {self.name!r}: {self.detail} ({self.code})"


# --------------------------------------------------------------------------------------------- data in and out


@dataclass(eq=False)
class InvalidData(InvalidInput):
    """A table that cannot be prepared: what is wrong, and where."""


@dataclass(eq=False)
class TooManyQuarantined(InvalidData):
    """More rows cannot be prepared than may be set aside: so many of `rows` that were read. They lie at `uri`."""

    quarantined: int = 0
    rows: int = 0
    uri: str = ""


@dataclass(eq=False)
class AssociationError(BatchTransformError):
    """Predictions cannot be proved to belong to their inputs. `uri` names the object, `record` counts from 1."""

    uri: str
    detail: str
    record: int | None = None

    def __str__(self) -> str:
        where = self.uri if self.record is None else f"{self.uri}, record {self.record}"
        return f"{where}: {self.detail}"


@dataclass(eq=False)
class OutputMissing(AssociationError):
    """An input object has no output."""


@dataclass(eq=False)
class StaleOutput(AssociationError):
    """An output answers something else than its input as it is now: another job wrote it, or the input has changed."""


@dataclass(eq=False)
class TypeTooNarrow(AssociationError):
    """Predictions that are not of the types that they should have; `needed` gives the types that hold them."""

    needed: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class TooManyDeadLetters(BatchTransformError):
    """More rows have no place in a table than are allowed to. They lie, with the reason, in tables below `uri`."""

    uri: str
    dead: int
    rows: int
    allowed: str

    def __str__(self) -> str:
        return f"{self.dead} of {self.rows} rows are dead letters, where {self.allowed} are allowed: see {self.uri}"


@dataclass(eq=False)
class ProcessEnded(BatchTransformError):
    """A process that was to write the answers to `uri` ended before; `code` tells how, less than 0 by a signal."""

    uri: str
    code: int

    def __str__(self) -> str:
        how = f"by signal {-self.code}" if self.code < 0 else f"with {self.code}"
        return f"A process ended ({how}) before it had written the answers to {self.uri}; it may have wanted memory."


@dataclass(eq=False)
class ProcessFailed(BatchTransformError):
    """A process that was to write the answers to `uri` met an error that cannot be handed over, but described."""

    uri: str
    error: str

    def __str__(self) -> str:
        return f"A process could not write the answers to {self.uri}: {self.error}"


@dataclass(eq=False)
class RowCountMismatch(AssociationError):
    """An output has more or fewer rows than its input."""

    rows_in: int = 0
    rows_out: int = 0


@dataclass(eq=False)
class AmbiguousAnswer(AssociationError):
    """Answers that can be read in several ways, each of which gives as many as there are rows: the `readings`."""

    readings: tuple[str, ...] = ()


@dataclass(eq=False)
class KeyMismatch(AssociationError):
    """Rows and answers that do not have the same keys, each once; `key` is the first that is too many or missing."""

    key: str = ""


# -------------------------------------------------------------------------------------------- the local engine


@dataclass(eq=False)
class LocalEngineError(BatchTransformError):
    """The local engine could not start, or does not answer."""

    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False)
class RequestRefused(BatchTransformError):
    """The engine's API refuses a request; `code` is AWS's error code and `detail` its message."""

    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


@dataclass(eq=False)
class TransformStopped(BatchTransformError):
    """Work was left off because its job is to stop."""

    def __str__(self) -> str:
        return "The transform job is stopping."
