"""The spec says what botocore's service model says: names, requirements, limits, patterns and lists."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from botocore.model import Shape, StringShape, StructureShape

from airflow_batchtx.spec import enums, form, limits
from airflow_batchtx.spec.members import BY_PATH, MEMBERS, Kind

MODEL = botocore.session.get_session().get_service_model("sagemaker")
CREATE = MODEL.operation_model("CreateTransformJob").input_shape

KINDS = {"string": Kind.TEXT, "integer": Kind.INTEGER, "boolean": Kind.FLAG, "map": Kind.TEXTS, "list": Kind.TAGS}
# Members of which this package says less than the model, each with the reason.
NARROWER = {
    "TransformInput.DataSource.S3DataSource.S3DataType",  # two of the four do not work with transform jobs
    "TransformInput.DataSource.S3DataSource.S3Uri",  # https: not documented how it resolves
    "TransformJobName",  # the beginning of a name, which is made to fit
    "TransformOutput.S3OutputPath",
    "DataCaptureConfig.DestinationS3Uri",
    "ModelName",  # the model's minimum of 0 contradicts its own pattern
    "MaxPayloadInMB",  # maxima stand in the API's prose only
    "TransformResources.InstanceCount",
    "Tags",
    "TransformResources.InstanceType",
}


def leaves(shape: StructureShape, prefix: str = "", required: bool = True) -> Iterator[tuple[str, Shape, bool]]:
    for name, member in shape.members.items():
        path, needed = f"{prefix}{name}", required and name in shape.required_members
        if isinstance(member, StructureShape):
            yield from leaves(member, f"{path}.", needed)
        else:
            yield path, member, needed


LEAVES = {path: (shape, required) for path, shape, required in leaves(CREATE)}


def test_every_member_of_the_request_is_known_and_no_other() -> None:
    assert {member.path for member in MEMBERS} == set(LEAVES)


@pytest.mark.parametrize("path", LEAVES)
def test_kind_and_requirement(path: str) -> None:
    shape, required = LEAVES[path]
    member = BY_PATH[path]

    assert (member.kind if member.kind is not Kind.INPUT else Kind.TEXT) is KINDS[shape.type_name]
    # The name is the operator's to complete.
    assert member.required is (required and path != "TransformJobName")


@pytest.mark.parametrize("path", sorted(set(LEAVES) - NARROWER))
def test_bounds_patterns_and_values(path: str) -> None:
    shape, member = LEAVES[path][0], BY_PATH[path]
    said = shape.metadata

    assert (member.minimum or 0) == said.get("min", 0)
    assert member.maximum == said.get("max")
    if shape.type_name == "map":
        assert member.pattern == shape.key.metadata["pattern"]
        assert shape.value.metadata["max"] == limits.ENVIRONMENT_VALUE_LENGTH
    else:
        assert member.pattern == said.get("pattern")
    assert set(member.values or []) == set(said.get("enum", []))


@pytest.mark.parametrize("path", ["TransformOutput.S3OutputPath", "DataCaptureConfig.DestinationS3Uri"])
def test_uris_are_the_models_less_most_https(path: str) -> None:
    said = LEAVES[path][0].metadata

    assert said["pattern"] == "(https|s3)://([^/]+)/?(.*)"
    assert limits.S3_URI_PATTERN.endswith("([^/]+)/?(.*)")
    assert BY_PATH[path].maximum == said["max"]


def test_names_of_jobs() -> None:
    said = LEAVES["TransformJobName"][0].metadata

    assert (said["pattern"], said["max"]) == (limits.NAME_PATTERN, limits.NAME_LENGTH)


def test_instance_types() -> None:
    shape = LEAVES["TransformResources.InstanceType"][0]
    assert isinstance(shape, StringShape)

    assert set(limits.INSTANCE_TYPES) == set(shape.enum)


def test_statuses() -> None:
    shape = MODEL.shape_for("TransformJobStatus")
    assert isinstance(shape, StringShape)

    assert {status.value for status in enums.JobStatus} == set(shape.enum)


def test_tags() -> None:
    tag = MODEL.shape_for("Tag")
    assert isinstance(tag, StructureShape)

    assert tag.members["Key"].metadata["max"] == 128
    assert tag.members["Value"].metadata["max"] == 256
    assert BY_PATH["Tags"].maximum == LEAVES["Tags"][0].metadata["max"]


@pytest.mark.parametrize("path", LEAVES)
def test_a_form_links_to_the_page_of_the_structure(path: str) -> None:
    *folders, last = path.split(".")
    shape = CREATE
    for folder in folders:
        shape = shape.members[folder]
    place = f"Type-{shape.name}" if folders else "CreateTransformJob-request"
    page = shape.name if folders else "CreateTransformJob"

    said = form.fields((BY_PATH[path].name,), {})[BY_PATH[path].name]["description_md"]

    assert said.endswith(f"[{last}]({form.REFERENCE}{page}.html#sagemaker-{place}-{last})")
