"""A transform job as a state machine of AWS Step Functions, in the Amazon States Language.

Its queries are JSONPath, not JSONata: every interpreter knows it, Step Functions Local and moto's among them, and all
that is asked for here is references, a counter and a name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.errors import InvalidJob, Problem, refuse
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.limits import NAME_LENGTH
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.naming import cleaned
from airflow_batchtx.spec.prepared import settled
from airflow_batchtx.spec.templates import is_open

Definition = dict[str, Any]
State = dict[str, Any]

# Jobs of one execution: those after the first replace one for which AWS had no capacity, or which it broke itself.
ATTEMPTS = 3
# Seconds between two looks at a job that Step Functions does not wait for by itself.
INTERVAL = 60
# The most: the pause before the tenth takes hours already.
MOST_ATTEMPTS = 10
# Seconds before the second job, at least, and at most twice as many; before each further one they double.
FIRST_PAUSE = 60
# Failure classes that another job, some time later, may well not meet again.
PASSING = ("CapacityError", "InternalServerError")

_MODEL = BY_NAME["model_name"].path
# A job's name is told apart by its execution: 32 hexadecimal digits, and the number of the attempt.
_TAIL = len("-") + 32 + len(f"-{MOST_ATTEMPTS}")
# A FIFO topic takes no message without a group.
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+")
_PARTITION = re.compile(r"aws(-[a-z]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One of the ways in which Step Functions calls SageMaker, and how errors of the calls are named there.

    `then` is the state after a call, `known` names the errors after which there is a job, and `asks` the state that
    asks for it then. `unmade` are errors after which there is none, where `known` is a pattern that they fit as well.
    """

    resource: str
    then: str
    asks: str
    busy: tuple[str, ...]
    unmade: tuple[str, ...] = ()
    known: tuple[str, ...]


_QUOTA, _TAKEN = "SageMaker.ResourceLimitExceededException", "SageMaker.ResourceInUseException"
# What SageMaker's model does not name, throttling and invalid requests among it, is named after the root of all errors
# in the SDK for Java: of its version 1 in .sync, of its version 2 in the AWS SDK integration.
_BUSY_IN_SYNC = ("ThrottlingException", "SageMaker.AmazonSageMakerException")
# No answer came: there may be a job or not.
_UNANSWERED = "SageMaker.SdkClientException"
SYNC = Integration(
    resource="sagemaker:createTransformJob.sync",
    # What it gives of a job that Completed is written nowhere; what Describe gives is.
    then="Look",
    asks="Why",
    busy=(*_BUSY_IN_SYNC, _UNANSWERED),
    unmade=(_QUOTA, *_BUSY_IN_SYNC),
    # A job that failed; as a pattern it stands for every error but a timeout.
    known=(_TAKEN, "States.TaskFailed"),
)
SDK = Integration(
    resource="aws-sdk:sagemaker:createTransformJob",
    then="Wait",
    asks="Look",
    busy=("SageMaker.ThrottlingException", "SageMaker.SageMakerException", _UNANSWERED),
    known=(_TAKEN,),
)


def state_machine(
    request: Mapping[str, Any],
    *,
    sdk: bool = False,
    notify: str | None = None,
    inputs: Collection[str] | None = None,
    attempts: int = ATTEMPTS,
    interval: int = INTERVAL,
    partition: str = "aws",
) -> Definition:
    """Write the definition of a state machine that runs the job of a CreateTransformJob request to its end.

    Members named in `inputs`, by default those that hold a template or a reference, are read from the input of an
    execution, under their names here: `{"input": "s3://lake/day=2026-01-01/"}`. `TransformJobName` begins the job's
    name, a digest of the execution's ARN tells it apart, and the attempt ends it.
    InvalidJob where the input is a list, which would have to be written to a manifest first.

    :param sdk: call SageMaker by the AWS SDK integration and look for the end, in the place of `.sync`.
    :param notify: the ARN of an SNS topic, not a FIFO one, that is told why an execution fails.
    :param attempts: at most so many jobs, one after another, where AWS lacks capacity or fails itself; 10 at most.
    :param interval: seconds between two looks at a job. AWS ends an execution after some 2,700 looks.
    :param partition: the AWS partition, such as "aws-cn".
    """
    request, _ = settled(wire.coerced(request))
    names = opened(request) if inputs is None else frozenset(inputs)
    refuse(InvalidJob, "state machine", _impossible(request, attempts, interval, notify, partition))
    by, failed = (SDK if sdk else SYNC), "Tell" if notify else "Failed"
    states = {
        "Begin": {"Type": "Pass", "Result": {"attempt": 1, "pause": FIRST_PAUSE}, "Next": "Name"},
        "Name": _name(request, names),
        "Transform": _transform(request, names, by, partition),
        "Wait": {"Type": "Wait", "Seconds": interval, "Next": "Look"},
        "Look": _look(partition),
        # The error before it is what people want to know, if there is no job.
        **({"Why": _look(partition, lost=None)} if by is SYNC else {}),
        "Judge": _judge(attempts),
        "Again": _AGAIN,
        "Pause": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "Name"},
        "Reason": {**_REASON, "Next": failed},
        "Refused": {**_REFUSED, "Next": failed},
        "Ended": {**_ENDED, "Next": failed},
        **({"Tell": _tell(notify, partition)} if notify else {}),
        "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        "Done": _DONE,
    }
    return {"Comment": f"Batch Transform of {_shown(request, names)}", "StartAt": "Begin", "States": states}


def opened(request: Mapping[str, Any]) -> frozenset[str]:
    """Name the members that are not known before an execution."""
    return frozenset(name for name, value in wire.flat(request).items() if name != "name" and is_open(value))


def execution_input(request: Mapping[str, Any]) -> dict[str, Any]:
    """Give the input of an execution whose state machine reads all members of a request there."""
    return {name: value for name, value in wire.flat(request).items() if name != "name"}


def _impossible(
    request: Mapping[str, Any], attempts: int, interval: int, notify: str | None, partition: str
) -> Iterator[Problem]:
    source = wire.at(request, BY_NAME["input"].path)
    if isinstance(source, list):
        rule = "is a list, and Step Functions writes no manifests"
        yield Problem("input", source, rule, "Give one prefix, or a manifest with s3_data_type=ManifestFile.")
    if not 1 <= attempts <= MOST_ATTEMPTS:
        yield Problem("attempts", attempts, "is no number of jobs", f"Give 1 to {MOST_ATTEMPTS}.")
    if not 1 <= interval <= 99_999_999:
        yield Problem("interval", interval, "is no pause of Step Functions", "Give a whole number of seconds.")
    if notify and not is_open(notify) and not _TOPIC.fullmatch(notify):
        remedy = "Give one such as arn:aws:sns:eu-west-1:123456789012:failures."
        yield Problem("notify", notify, "is no ARN of a standard topic", remedy)
    if not _PARTITION.fullmatch(partition):
        yield Problem("partition", partition, "is no AWS partition", "Give aws, aws-cn, aws-us-gov or another one.")


def _shown(request: Mapping[str, Any], names: Collection[str]) -> str:
    return "a model that the input names" if "model_name" in names else f"model {request.get(_MODEL)}"


# ----------------------------------------------------------------------------------------------------- the states


def _transform(request: Mapping[str, Any], names: Collection[str], by: Integration, partition: str) -> State:
    return {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::{by.resource}",
        "Parameters": {"TransformJobName.$": "$.name", **_parameters(request, names)},
        "Retry": [
            # The attempts of one retrier are its own: a quota that is used up may take a day, throttling passes.
            _retrier((_QUOTA,), first=60, longest=1800, times=50),
            _retrier(by.busy, first=5, longest=300, times=8),
        ],
        "Catch": [
            *([_catcher(by.unmade, "Refused")] if by.unmade else []),
            # The name is this attempt's alone: where it is taken, a call whose answer was lost has made the job.
            _catcher(by.known, by.asks),
            _catcher(("States.ALL",), "Refused"),
        ],
        "ResultPath": None,
        "Next": by.then,
    }


def _look(partition: str, lost: str | None = "$.error") -> State:
    """Ask for the job: what became of it, and in which class of failures it ended, is in no error's name."""
    return {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::aws-sdk:sagemaker:describeTransformJob",
        "Parameters": {"TransformJobName.$": "$.name"},
        "Retry": [_retrier(SDK.busy, first=5, longest=300, times=8)],
        "Catch": [_catcher(("States.ALL",), "Refused", lost)],
        "ResultPath": "$.job",
        "Next": "Judge",
    }


def _name(request: Mapping[str, Any], names: Collection[str]) -> State:
    """Name the job of this attempt, the same however often the call that makes it is tried."""
    begun = request.get("TransformJobName") or (None if "model_name" in names else request.get(_MODEL))
    head = cleaned(begun if isinstance(begun, str) and not is_open(begun) else "", NAME_LENGTH - _TAIL, "job")
    name = f"States.Format('{head}-{{}}-{{}}', States.Hash($$.Execution.Id, 'MD5'), $.attempt)"
    return {
        "Type": "Pass",
        "Parameters": {"attempt.$": "$.attempt", "pause.$": "$.pause", "name.$": name},
        "Next": "Transform",
    }


def _judge(attempts: int) -> State:
    """Go by what DescribeTransformJob says; the class before the colon of a reason is its machine-readable part."""
    status, reason = "$.job.TransformJobStatus", "$.job.FailureReason"
    given = {"Variable": reason, "IsPresent": True}
    passing = [{"Variable": reason, "StringMatches": f"{kind}:*"} for kind in PASSING]
    left = {"Variable": "$.attempt", "NumericLessThan": attempts}
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": status, "StringEquals": JobStatus.COMPLETED.value, "Next": "Done"},
            {"Variable": status, "StringEquals": JobStatus.IN_PROGRESS.value, "Next": "Wait"},
            {"Variable": status, "StringEquals": JobStatus.STOPPING.value, "Next": "Wait"},
            {"And": [given, {"Or": passing}, left], "Next": "Again"},
            {**given, "Next": "Reason"},
        ],
        "Default": "Ended",
    }


_AGAIN: State = {
    "Type": "Pass",
    "Parameters": {
        "attempt.$": "States.MathAdd($.attempt, 1)",
        "pause.$": "States.MathAdd($.pause, $.pause)",
        "wait.$": "States.MathRandom($.pause, States.MathAdd($.pause, $.pause))",
    },
    "Next": "Pause",
}
_REASON: State = {
    "Type": "Pass",
    "Parameters": {
        "Error.$": "States.ArrayGetItem(States.StringSplit($.job.FailureReason, ':'), 0)",
        "Cause.$": "States.Format('{}: {}', $.name, $.job.FailureReason)",
    },
    "ResultPath": "$.error",
}
# A state may not fail with a name of the language's own, such as States.Runtime.
_REFUSED: State = {
    "Type": "Pass",
    "Parameters": {
        "Error.$": "States.Format('Call.{}', $.error.Error)",
        "Cause.$": "States.Format('{}: {}', $.name, $.error.Cause)",
    },
    "ResultPath": "$.error",
}
_ENDED: State = {
    "Type": "Pass",
    "Parameters": {
        "Error.$": "$.job.TransformJobStatus",
        "Cause.$": "States.Format('{}: somebody stopped it, or nobody says why it ended', $.name)",
    },
    "ResultPath": "$.error",
}
_DONE: State = {
    "Type": "Pass",
    "Parameters": {
        "TransformJobName.$": "$.job.TransformJobName",
        "TransformJobArn.$": "$.job.TransformJobArn",
        "TransformJobStatus.$": "$.job.TransformJobStatus",
        "S3OutputPath.$": "$.job.TransformOutput.S3OutputPath",
        "Attempts.$": "$.attempt",
    },
    "End": True,
}


def _tell(topic: str, partition: str) -> State:
    """Tell people; a message that cannot be sent hides no failure."""
    message = {
        "Execution.$": "$$.Execution.Id", "Job.$": "$.name", "Error.$": "$.error.Error", "Cause.$": "$.error.Cause",
    }  # fmt: skip
    return {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::sns:publish",
        "Parameters": {"TopicArn": topic, "Subject": "A Batch Transform failed", "Message": message},
        "Retry": [_retrier(("States.TaskFailed",), first=2, longest=60, times=4)],
        "Catch": [_catcher(("States.ALL",), "Failed", None)],
        "ResultPath": None,
        "Next": "Failed",
    }


def _retrier(errors: tuple[str, ...], *, first: int, longest: int, times: int) -> State:
    """Try again after `first` seconds, then after twice as many, and so on; at random within each pause."""
    return {
        "ErrorEquals": [*errors],
        "IntervalSeconds": first,
        "BackoffRate": 2,
        "MaxDelaySeconds": longest,
        "MaxAttempts": times,
        "JitterStrategy": "FULL",
    }


def _catcher(errors: tuple[str, ...], then: str, kept: str | None = "$.error") -> State:
    return {"ErrorEquals": [*errors], "ResultPath": kept, "Next": then}


# ------------------------------------------------------------------------------------------------- the job's request


@dataclass(frozen=True, slots=True)
class _Input:
    """Stands for a value that an execution's input brings."""

    name: str


def _parameters(request: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    marked = wire.copied(request)
    marked.pop("TransformJobName", None)
    for name in names:
        wire.put(marked, BY_NAME[name].path, _Input(name))
    return _written(marked)


def _written(marked: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key, value in marked.items():
        match value:
            case _Input():
                written[f"{key}.$"] = f"$$.Execution.Input.{value.name}"
            case Mapping():
                written[key] = _written(value)
            case _:
                written[key] = value
    return written
