"""A transform job as its user writes it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_batchtx.errors import InvalidJob, Problem, refuse
from airflow_batchtx.spec import enums, form, state_machine, wire
from airflow_batchtx.spec.enums import S3DataType
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.templates import Flag, Integer, Reference, Text
from airflow_batchtx.spec.validation import doubts, problems

if TYPE_CHECKING:
    from airflow.sdk import Param

Input: TypeAlias = "str | Reference | Mapping[str, Any] | PreparedInput | list[str] | list[PreparedInput]"


class UnknownToThisVersion(UserWarning):
    """A member or an instance type that may be newer than this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformJob:
    """Everything that CreateTransformJob takes, under AWS's names in Python's spelling.

    Any value may be a Jinja template or another task's output. What is neither is checked here and now: an
    `InvalidJob` names every field that SageMaker would refuse, its value, the rule and the remedy. The rest is
    checked once Airflow has rendered it, before anything is paid for.

    `name` is the beginning of the job's name; the operator adds what makes it unique. `input` is an S3 prefix
    (a raw one: `s3://b/day` matches `s3://b/day2/x` too, unless there is an object `s3://b/day`, which it then names
    alone), a list of prefixes and objects of one bucket, or the output of a PrepareInputOperator, mapped or not, which
    brings its media type and split type along. Sizes are in MB, times in seconds, as their names say.
    """

    model_name: Text
    input: Input
    output: Text
    instance_type: Text
    instance_count: Integer = 1
    name: Text | None = None

    s3_data_type: enums.S3DataType | Text = S3DataType.S3_PREFIX
    content_type: Text | None = None
    compression_type: enums.CompressionType | Text | None = None
    split_type: enums.SplitType | Text | None = None

    accept: Text | None = None
    assemble_with: enums.AssembleWith | Text | None = None
    kms_key_id: Text | None = None

    batch_strategy: enums.BatchStrategy | Text | None = None
    max_concurrent_transforms: Integer | None = None
    max_payload_in_mb: Integer | None = None
    invocations_timeout_in_seconds: Integer | None = None
    invocations_max_retries: Integer | None = None
    environment: Mapping[str, Text] | None = field(default=None, repr=False)  # it may hold secrets

    input_filter: Text | None = None
    output_filter: Text | None = None
    join_source: enums.JoinSource | Text | None = None

    volume_kms_key_id: Text | None = None
    transform_ami_version: Text | None = None

    data_capture_destination: Text | None = None
    data_capture_kms_key_id: Text | None = None
    generate_inference_id: Flag | None = None

    experiment_name: Text | None = None
    trial_name: Text | None = None
    trial_component_display_name: Text | None = None
    run_name: Text | None = None

    tags: Mapping[str, Text] | None = None

    def __post_init__(self) -> None:
        check(self.to_request())

    def to_request(self) -> wire.Request:
        """Write the job as a CreateTransformJob request, templates and references in their places."""
        values = {member.name: _plain(getattr(self, member.name)) for member in fields(self)}
        if isinstance(self.tags, Mapping):
            values["tags"] = wire.tag_list(self.tags)
        return wire.coerced(wire.nested(values))

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> TransformJob:
        """Read a CreateTransformJob request; InvalidJob names what it holds that no job has."""
        refuse(
            InvalidJob,
            "transform job",
            (
                Problem(path, wire.at(request, path), "is no member of CreateTransformJob", "Leave it out.")
                for path in wire.strangers(request)
            ),
        )
        check(request)
        values = wire.flat(request)
        if isinstance(values.get("tags"), list):
            values["tags"] = {tag["Key"]: tag["Value"] for tag in values["tags"]}
        return cls(**values)

    def to_state_machine(
        self,
        *,
        sdk: bool = False,
        notify: str | None = None,
        attempts: int = state_machine.ATTEMPTS,
        interval: int = state_machine.INTERVAL,
        partition: str = "aws",
    ) -> state_machine.Definition:
        """Write the job as an AWS Step Functions state machine, in the Amazon States Language; see `state_machine`.

        Each member that holds a template or another task's output is read from the input of an execution, under its
        name here: `{"input": "s3://lake/day=2026-01-01/"}`. InvalidJob where the input is a list.
        """
        return state_machine.state_machine(
            self.to_request(), sdk=sdk, notify=notify, attempts=attempts, interval=interval, partition=partition
        )

    @staticmethod
    def params(*names: str, **defaults: Any) -> dict[str, Param]:
        """Give form fields for the named members, to be a DAG's `params`; those with a default need not be named too.

        Each has its type, its bounds, its menu of values, examples, a line of help and a link to AWS's own words, so
        that Airflow refuses a wrong value when the run is started. A default of None lets a field be left empty, also
        one that a job must have: then it is for the DAG to choose. `from_params` makes a job of the fields.

        InvalidJob where a name is no member's, or a default is one that SageMaker would refuse.
        """
        # The one place where the spec knows Airflow: the name is public here, and a Param is Airflow's.
        from airflow.sdk import Param

        return {name: Param(**schema) for name, schema in form.fields(names, defaults).items()}

    @classmethod
    def from_params(cls, params: Mapping[str, Any], **others: Any) -> TransformJob:
        """Make a job of what `params` gave, and of `others`, which win.

        Given the form fields themselves it is for a DAG file: each becomes the template of its value. Given the values
        of a run it is for a task. A field that is left empty leaves its member out. Entries that are no members of a
        job are left to others.
        """
        known = {name: params[name] for name in params if name in BY_NAME}
        values = {name: form.template(name) if isinstance(v, Reference) else v for name, v in known.items()}
        return cls(**{**values, **others})


def check(request: Mapping[str, Any]) -> None:
    """Raise InvalidJob with every problem of a request; warn of what may only be newer than this package."""
    name = request.get("TransformJobName")
    refuse(InvalidJob, f"transform job {name}" if isinstance(name, str) else "transform job", problems(request))
    for doubt in doubts(request):
        warnings.warn(str(doubt), UnknownToThisVersion, stacklevel=4)


def _plain(value: Any) -> Any:
    """Take the value out of an enum and the dictionary out of a prepared input: a request is plain JSON."""
    match value:
        case enums.Choice():
            return value.value
        case PreparedInput():
            return value.to_dict()
        case Mapping():
            return dict(value)
        case list() | tuple():
            return [_plain(part) for part in value]
        case _:
            return value
