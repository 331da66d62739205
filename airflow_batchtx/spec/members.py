"""The members of CreateTransformJob: one table that names, types and bounds each of them.

Everything that walks over a request (building it, checking it, coercing rendered templates, describing it to a form)
walks over this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_batchtx.spec import enums, limits


class Kind(Enum):
    """What a member's value is."""

    TEXT = "text"
    INTEGER = "whole number"
    FLAG = "true or false"
    TEXTS = "mapping of names to texts"
    TAGS = "list of tags"
    INPUT = "S3 prefix, a list of them, or what a prepare task returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member: `name` is ours, `path` is AWS's.

    Bounds are of the value for a whole number, of the length in characters for a text, of the count for the rest.
    `help` is what a form says, where the remedy speaks of what only a DAG can give; it proposes the examples.
    """

    name: str
    path: str
    kind: Kind = Kind.TEXT
    required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] | None = None
    remedy: str
    help: str | None = None
    example: str | int | None = None
    examples: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Both names, for messages."""
        return f"{self.name} ({self.path})"


def _choices(kind: type[Enum]) -> tuple[str, ...]:
    return tuple(member.value for member in kind)


_KMS = "Give a key id, an alias or an ARN of AWS KMS, or leave it out."
_EXPERIMENT = "Use letters, digits and hyphens, at most 120."
_FILTER = "Use a JSONPath such as $[1:] for CSV or $.features for JSON, or leave it out."
_JSON = ("application/jsonlines", "application/json")

MEMBERS: tuple[Member, ...] = (
    Member(
        name="name", path="TransformJobName", minimum=1, pattern=limits.PREFIX_PATTERN,
        remedy="Give the beginning of a name, with a letter or a digit in it, or leave it out.",
        example="churn-nightly",
    ),
    Member(
        name="model_name", path="ModelName", required=True, minimum=1, maximum=limits.NAME_LENGTH,
        pattern=limits.MODEL_NAME_PATTERN, remedy="Give the name of a SageMaker model of this account and Region.",
        example="churn",
    ),
    Member(
        name="max_concurrent_transforms", path="MaxConcurrentTransforms", kind=Kind.INTEGER, minimum=0,
        remedy="Give the number of requests in flight on each instance; 0 or nothing asks the container.", example=4,
    ),
    Member(
        name="invocations_timeout_in_seconds", path="ModelClientConfig.InvocationsTimeoutInSeconds",
        kind=Kind.INTEGER, minimum=1, maximum=3600, remedy="Give 1 to 3600 seconds for one request.", example=600,
    ),
    Member(
        name="invocations_max_retries", path="ModelClientConfig.InvocationsMaxRetries", kind=Kind.INTEGER,
        minimum=0, maximum=3, remedy="Give 0 to 3.", example=3,
    ),
    Member(
        name="max_payload_in_mb", path="MaxPayloadInMB", kind=Kind.INTEGER, minimum=0,
        maximum=limits.MAX_PAYLOAD_IN_MB, remedy="Give 1 to 100, or 0 to send whole objects in chunks.", example=6,
    ),
    Member(
        name="batch_strategy", path="BatchStrategy", values=_choices(enums.BatchStrategy),
        remedy="MultiRecord packs as many records into a request as fit, SingleRecord sends one.",
    ),
    Member(
        name="environment", path="Environment", kind=Kind.TEXTS, maximum=16, pattern=limits.ENVIRONMENT_NAME_PATTERN,
        remedy="At most 16 variables, named by letters, digits and underscores, each of at most 10240 characters.",
    ),
    Member(
        name="s3_data_type", path="TransformInput.DataSource.S3DataSource.S3DataType", required=True,
        values=_choices(enums.S3DataType), remedy="Batch Transform reads an S3Prefix or a ManifestFile.",
    ),
    Member(
        name="input", path="TransformInput.DataSource.S3DataSource.S3Uri", kind=Kind.INPUT, required=True,
        maximum=1024, pattern=limits.S3_URI_PATTERN,
        remedy="Give s3://bucket/prefix/, a list of prefixes and objects, or the output of a PrepareInputOperator.",
        help="Give an S3 prefix, which takes all objects below it, or one object.", example="s3://bucket/in/",
    ),
    Member(
        name="content_type", path="TransformInput.ContentType", maximum=256, pattern=r".*",
        remedy="Give the media type of the input, such as text/csv.", example="text/csv", examples=_JSON,
    ),
    Member(
        name="compression_type", path="TransformInput.CompressionType", values=_choices(enums.CompressionType),
        remedy="Input objects are not compressed, or all by gzip.",
    ),
    Member(
        name="split_type", path="TransformInput.SplitType", values=_choices(enums.SplitType),
        remedy="Line suits CSV and JSON Lines, None sends whole objects.",
    ),
    Member(
        name="output", path="TransformOutput.S3OutputPath", required=True, maximum=1024,
        pattern=limits.S3_URI_PATTERN, remedy="Give s3://bucket/prefix/.", example="s3://bucket/out/",
    ),
    Member(
        name="accept", path="TransformOutput.Accept", maximum=256, pattern=r".*",
        remedy="Give the media type that the model shall answer in.", example="text/csv", examples=_JSON,
    ),
    Member(
        name="assemble_with", path="TransformOutput.AssembleWith", values=_choices(enums.AssembleWith),
        remedy="Line puts every prediction on a line of its own, None joins answers as they are.",
    ),
    Member(
        name="kms_key_id", path="TransformOutput.KmsKeyId", maximum=2048, pattern=limits.KMS_KEY_PATTERN, remedy=_KMS,
    ),
    Member(
        name="data_capture_destination", path="DataCaptureConfig.DestinationS3Uri", maximum=1024,
        pattern=limits.S3_URI_PATTERN, remedy="Give s3://bucket/prefix/ for the capture manifests.",
        example="s3://bucket/capture/",
    ),
    Member(
        name="data_capture_kms_key_id", path="DataCaptureConfig.KmsKeyId", maximum=2048,
        pattern=limits.KMS_KEY_PATTERN, remedy=_KMS,
    ),
    Member(
        name="generate_inference_id", path="DataCaptureConfig.GenerateInferenceId", kind=Kind.FLAG,
        remedy="True appends an id and a time to each output record.",
    ),
    Member(
        name="instance_type", path="TransformResources.InstanceType", required=True,
        pattern=limits.INSTANCE_TYPE_PATTERN, values=limits.INSTANCE_TYPES,
        remedy="Give a SageMaker instance type, ml.<family>.<size>.", example="ml.m5.large",
    ),
    Member(
        name="instance_count", path="TransformResources.InstanceCount", kind=Kind.INTEGER, required=True, minimum=1,
        maximum=limits.MAX_INSTANCE_COUNT, remedy="Give 1 to 100; objects are dealt to instances, never cut.",
        example=1,
    ),
    Member(
        name="volume_kms_key_id", path="TransformResources.VolumeKmsKeyId", maximum=2048,
        pattern=limits.KMS_KEY_PATTERN, remedy=_KMS,
    ),
    Member(
        name="transform_ami_version", path="TransformResources.TransformAmiVersion", minimum=1, maximum=63,
        pattern=limits.AMI_VERSION_PATTERN, remedy="Give an AMI version that AWS lists for Batch Transform.",
    ),
    Member(
        name="input_filter", path="DataProcessing.InputFilter", maximum=63, remedy=_FILTER, example="$[1:]",
        examples=("$[0]", "$.features"),
    ),
    Member(
        name="output_filter", path="DataProcessing.OutputFilter", maximum=63, remedy=_FILTER, example="$[0,-1]",
        examples=("$[-1]", "$['id','SageMakerOutput']"),
    ),
    Member(
        name="join_source", path="DataProcessing.JoinSource", values=_choices(enums.JoinSource),
        remedy="Input joins each prediction with its whole input record.",
    ),
    Member(
        name="tags", path="Tags", kind=Kind.TAGS, maximum=50, pattern=limits.TAG_PATTERN,
        remedy="Give at most 50 tags; keys of 1 to 128 and values of 0 to 256 letters, digits, blanks and _.:/=+-@; no "
        "key may begin with aws:.",
    ),
    Member(
        name="experiment_name", path="ExperimentConfig.ExperimentName", minimum=1, maximum=120,
        pattern=limits.EXPERIMENT_NAME_PATTERN, remedy=_EXPERIMENT,
    ),
    Member(
        name="trial_name", path="ExperimentConfig.TrialName", minimum=1, maximum=120,
        pattern=limits.EXPERIMENT_NAME_PATTERN, remedy=_EXPERIMENT,
    ),
    Member(
        name="trial_component_display_name", path="ExperimentConfig.TrialComponentDisplayName", minimum=1, maximum=120,
        pattern=limits.EXPERIMENT_NAME_PATTERN, remedy=_EXPERIMENT,
    ),
    Member(
        name="run_name", path="ExperimentConfig.RunName", minimum=1, maximum=120,
        pattern=limits.EXPERIMENT_NAME_PATTERN, remedy=_EXPERIMENT,
    ),
)  # fmt: skip

BY_NAME: Mapping[str, Member] = {member.name: member for member in MEMBERS}
BY_PATH: Mapping[str, Member] = {member.path: member for member in MEMBERS}
