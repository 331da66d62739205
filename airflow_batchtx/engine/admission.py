"""What CreateTransformJob refuses beyond the shapes: members that do not fit together, and what is not there to run.

AWS's own texts are marked by their source; the rest says field, value and rule in words of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from airflow_batchtx.engine import faults
from airflow_batchtx.engine.api import Api, Request, refusal
from airflow_batchtx.engine.containers import RUNNING, containers
from airflow_batchtx.engine.inputs import inputs
from airflow_batchtx.engine.registry import Model
from airflow_batchtx.errors import (
    AccessDenied,
    BucketNotFound,
    InvalidFaults,
    InvalidJsonPath,
    InvalidManifest,
    ObjectNotFound,
)
from airflow_batchtx.planning.addresses import address, is_address
from airflow_batchtx.records import jsonpath
from airflow_batchtx.spec import limits
from airflow_batchtx.spec.media import media_type


@dataclass(frozen=True, slots=True)
class _Terms:
    """The members of a request that rules speak of, defaults filled in."""

    request: Request
    model: Model
    runs_images: bool = False

    def text(self, part: str, member: str, default: str = "None") -> str:
        """Give a member of TransformInput, TransformOutput, TransformResources or DataProcessing."""
        return str(self.request.get(part, {}).get(member, default))

    @property
    def input(self) -> Mapping[str, str]:
        """The S3DataSource."""
        source: Mapping[str, str] = self.request["TransformInput"]["DataSource"]["S3DataSource"]
        return source

    @property
    def content_type(self) -> str:
        """The type of the input, empty where it is not given."""
        return self.text("TransformInput", "ContentType", "")

    @property
    def accept(self) -> str:
        """The type of the answers; one that is not given is that of the input."""
        return self.text("TransformOutput", "Accept", self.content_type)

    @property
    def joins(self) -> bool:
        """Tell whether predictions are joined with their input."""
        return self.text("DataProcessing", "JoinSource") == "Input"

    @property
    def stamps(self) -> bool:
        """Tell whether records get inference ids."""
        return bool(self.request.get("DataCaptureConfig", {}).get("GenerateInferenceId"))

    @property
    def filters(self) -> Mapping[str, str]:
        """The filters that do something."""
        given = {name: self.text("DataProcessing", name, "$") for name in ("InputFilter", "OutputFilter")}
        # AWS's own component for Kubeflow Pipelines sends empty filters, and an empty key of the volume, for none.
        return {name: path for name, path in given.items() if path not in ("", "$")}


Rule = Callable[[_Terms], Iterator[str]]


def check(request: Request, model: Model, *, runs_images: bool) -> None:
    """Refuse a request whose members do not fit together or with its model, or that this engine does not run."""
    terms = _Terms(request, model, runs_images)
    if found := [problem for rule in RULES for problem in rule(terms)]:
        raise refusal(" ".join(found))


def check_input(api: Api, request: Request, model: Model) -> None:
    """Refuse a request whose input prefix holds no object, or whose manifest cannot be read."""
    source = _Terms(request, model).input
    uri = source["S3Uri"]
    try:
        _, sources = inputs(api.store, source)
        if any(True for _ in sources):
            return
        detail = ""
    except InvalidManifest as error:
        raise refusal(f'Invalid manifest file "{uri}" given in input data source: {error}.') from error
    except (ObjectNotFound, BucketNotFound, AccessDenied) as error:
        # Anything else is not the caller's fault: the call fails, and clients try again.
        detail = f" Error message from S3: {error.detail}"
    bucket, role = address(uri).bucket, model.request.get("ExecutionRoleArn", "")
    # Text: aws/amazon-sagemaker-examples#2270, #2414, #2268.
    raise refusal(
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in'
        f" the selected region ({api.region}), that objects exist under that S3 prefix, and that the role"
        f' "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".{detail}'
    )


# ------------------------------------------------------------------------------------------------- AWS's rules


def _payload(terms: _Terms) -> Iterator[str]:
    concurrent, payload = (terms.request.get(name) for name in ("MaxConcurrentTransforms", "MaxPayloadInMB"))
    if payload is not None and payload > limits.MAX_PAYLOAD_IN_MB:
        yield f"MaxPayloadInMB {payload} is greater than the maximum of {limits.MAX_PAYLOAD_IN_MB}."
    elif payload and concurrent and concurrent * payload > limits.MAX_PAYLOAD_PRODUCT_MB:
        yield (
            f"MaxConcurrentTransforms {concurrent} * MaxPayloadInMB {payload} = {concurrent * payload} is greater than"
            f" the maximum of {limits.MAX_PAYLOAD_PRODUCT_MB}."
        )


def _instance_count(terms: _Terms) -> Iterator[str]:
    if (count := terms.request["TransformResources"]["InstanceCount"]) > limits.MAX_INSTANCE_COUNT:
        yield f"InstanceCount {count} is greater than the maximum of {limits.MAX_INSTANCE_COUNT}."


def _join(terms: _Terms) -> Iterator[str]:
    if not terms.joins:
        return
    content_type, accept = terms.content_type, terms.accept
    if media_type(content_type) != media_type(accept):
        yield f'With JoinSource "Input", Accept "{accept}" must match ContentType "{content_type}".'
    split, assemble = terms.text("TransformInput", "SplitType"), terms.text("TransformOutput", "AssembleWith")
    if split != assemble:
        yield f'With JoinSource "Input", AssembleWith "{assemble}" must match SplitType "{split}".'


def _processed_types(terms: _Terms) -> Iterator[str]:
    users = [*terms.filters, *(["JoinSource"] if terms.joins else [])]
    types = {"ContentType": terms.content_type, "Accept": terms.accept}
    if not users and terms.stamps:
        # Developer guide, model-monitor-data-capture-batch: the output must be one of these.
        users, types = ["GenerateInferenceId"], {"Accept": terms.accept}
    for name, given in types.items() if users else ():
        if media_type(given) not in limits.PROCESSED_TYPES:
            yield f'With {", ".join(users)}, {name} "{given}" must be one of {", ".join(limits.PROCESSED_TYPES)}.'


def _csv_lines(terms: _Terms) -> Iterator[str]:
    # Developer guide, batch-transform-data-processing: text/csv is split and assembled by line.
    sides = {
        "SplitType": ("TransformInput", terms.content_type, terms.joins or "InputFilter" in terms.filters),
        "AssembleWith": ("TransformOutput", terms.accept, terms.joins or "OutputFilter" in terms.filters),
    }
    for name, (part, given, processed) in sides.items():
        found = terms.text(part, name)
        if processed and media_type(given) == "text/csv" and found != "Line":
            yield f'With DataProcessing on text/csv, {name} "{found}" must be "Line".'


def _filters(terms: _Terms) -> Iterator[str]:
    types = {"InputFilter": terms.content_type, "OutputFilter": terms.accept}
    for name, path in terms.filters.items():
        if refused := _refused(path, media_type(types[name])):
            yield f'Invalid {name}: "{path}". {refused}'


def _refused(path: str, given: str) -> str:
    try:
        jsonpath.check(path, given)
    except InvalidJsonPath as error:
        return error.detail
    return ""


def _faults(terms: _Terms) -> Iterator[str]:
    try:
        faults.of_job(terms.request, faults.NONE)
    except InvalidFaults as error:
        yield from (f"Environment {faults.VARIABLE}: {problem}." for problem in error.problems)


def _volume_key(terms: _Terms) -> Iterator[str]:
    # API reference, VolumeKmsKeyId: types with local instance storage encrypt it themselves.
    family = terms.text("TransformResources", "InstanceType").split(".")[1]
    if terms.request["TransformResources"].get("VolumeKmsKeyId") and family in limits.LOCAL_STORAGE:
        yield f"VolumeKmsKeyId is not supported for ml.{family} instances: their local storage has its own encryption."


def _model_data_source(terms: _Terms) -> Iterator[str]:
    if any("ModelDataSource" in container for container in containers(terms.model)):
        # Text: aws/sagemaker-python-sdk#4777, #5160.
        yield (
            "SageMaker Batch currently doesn't support Model entity with container definitions which use"
            " ModelDataSource attribute"
        )


def _model_kind(terms: _Terms) -> Iterator[str]:
    # API reference, CreateModel, and the feature matrix of model deployment.
    if any(container.get("Mode") == "MultiModel" for container in containers(terms.model)):
        yield "Batch Transform does not support multi-model containers."
    if terms.model.request.get("InferenceExecutionConfig", {}).get("Mode") == "Direct":
        yield "Batch Transform does not support models whose containers are invoked directly."


def _data_type(terms: _Terms) -> Iterator[str]:
    if (kind := terms.input["S3DataType"]) in ("AugmentedManifestFile", "Converse"):
        yield f"Batch Transform does not support S3DataType {kind}."


# ---------------------------------------------------------------------- what AWS runs and this engine does not yet

_HERE = "The local engine of airflow-batchtx does not support"


def _addresses(terms: _Terms) -> Iterator[str]:
    uris = {"S3Uri": terms.input["S3Uri"], "S3OutputPath": terms.text("TransformOutput", "S3OutputPath")}
    if "DataCaptureConfig" in terms.request:
        uris["DestinationS3Uri"] = terms.text("DataCaptureConfig", "DestinationS3Uri")
    for container in containers(terms.model):
        uris |= {"ModelDataUrl": container["ModelDataUrl"]} if "ModelDataUrl" in container else {}
    for name, uri in uris.items():
        if not is_address(uri):
            yield f'{_HERE} {name} "{uri}": give it as s3://bucket/key or https://s3.<Region>.amazonaws.com/bucket/key.'


def _containers_not_yet(terms: _Terms) -> Iterator[str]:
    for container in containers(terms.model):
        image = container.get("Image", "")
        if not (terms.runs_images or image.startswith(RUNNING) or {"ModelDataUrl", "ModelDataSource"} & {*container}):
            yield (
                f'{_HERE} the image "{image}" without ModelDataUrl: give a ModelDataUrl whose archive holds'
                " code/inference.py, or an Image that is the http:// URL of a running model server, or start the engine"
                " with --docker."
            )


RULES: tuple[Rule, ...] = (
    _payload,
    _instance_count,
    _join,
    _processed_types,
    _csv_lines,
    _filters,
    _faults,
    _volume_key,
    _model_data_source,
    _model_kind,
    _data_type,
    _addresses,
    _containers_not_yet,
)
