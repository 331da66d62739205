from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import Shape

from airflow_batchtx.engine.operations import OPERATIONS
from airflow_batchtx.engine.shapes import Shapes, compiled, service_model
from airflow_batchtx.errors import RequestRefused

PARTS = ("member", "key", "value")
JOB: dict[str, Any] = {
    "TransformJobName": "job",
    "ModelName": "model",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/k"}}},
    "TransformOutput": {"S3OutputPath": "s3://b/o"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return Shapes(service_model())


def refused(shapes: Shapes, operation: str, body: object) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        shapes.read(operation, body)
    return caught.value


def test_a_request_that_keeps_all_constraints_is_given_back(shapes: Shapes) -> None:
    assert shapes.read("CreateTransformJob", JOB) == JOB


def test_null_is_absent(shapes: Shapes) -> None:
    sent = {**JOB, "BatchStrategy": None, "Environment": {"A": None, "B": "b"}}

    assert shapes.read("CreateTransformJob", sent) == {**JOB, "Environment": {"B": "b"}}


@pytest.mark.parametrize(
    ("member", "value", "rule"),
    [
        ("TransformJobName", "", "Member must have length greater than or equal to 1"),
        ("MaxPayloadInMB", -1, "Member must have value greater than or equal to 0"),
        ("Environment", {f"A{n}": "" for n in range(17)}, "Member must have length less than or equal to 16"),
        ("Tags", [{"Key": "k", "Value": "v"}] * 51, "Member must have length less than or equal to 50"),
        ("Environment", {"A": "x" * 10241}, "Map value must satisfy constraint: [Member must have length less than"),
    ],
)
def test_constraints_of_every_kind(shapes: Shapes, member: str, value: object, rule: str) -> None:
    error = refused(shapes, "CreateTransformJob", {**JOB, member: value})

    assert error.code == "ValidationException"
    assert rule in error.detail


def test_all_missing_members_are_named(shapes: Shapes) -> None:
    error = refused(shapes, "CreateTransformJob", {})

    assert error.detail.startswith("5 validation errors detected: Value null at 'transformJobName' failed")
    assert error.detail.count("Member must not be null") == 5


def test_a_list_of_texts_is_judged_as_one(shapes: Shapes) -> None:
    error = refused(
        shapes, "DeleteTags", {"ResourceArn": "arn:aws:sagemaker:r:123456789012:x", "TagKeys": ["ok", "é!"]}
    )

    assert error.detail.startswith(
        "1 validation error detected: Value '[ok, é!]' at 'tagKeys' failed to satisfy constraint: Member must satisfy"
        " constraint: ["
    )


@pytest.mark.parametrize("key", ["héllo", "日本 x", "a_b.c:/=+-@", "٣", "a\u00a0b"])
def test_letters_numbers_and_blanks_of_all_scripts(shapes: Shapes, key: str) -> None:
    tag = {"Key": key, "Value": key}

    assert shapes.read("CreateTransformJob", {**JOB, "Tags": [tag]})["Tags"] == [tag]


@pytest.mark.parametrize("key", ["a!", "a\tb", "a\n", "a*"])
def test_other_characters_are_none_of_a_tag(shapes: Shapes, key: str) -> None:
    refused(shapes, "CreateTransformJob", {**JOB, "Tags": [{"Key": key, "Value": ""}]})


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ([], "Start of list found where not expected."),
        ({**JOB, "ModelName": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({**JOB, "MaxPayloadInMB": "6"}, "STRING_VALUE cannot be converted to Integer"),
        ({**JOB, "MaxPayloadInMB": 1.5}, "DECIMAL_VALUE cannot be converted to Integer"),
        ({**JOB, "MaxPayloadInMB": True}, "BOOLEAN_VALUE cannot be converted to Integer"),
        ({**JOB, "Tags": {"a": "b"}}, "Start of structure or map found where not expected."),
        ({**JOB, "Tags": [None]}, "NULL_VALUE cannot be converted to Structure"),
        ({**JOB, "Zeal": 1, "Ardour": 2}, "Unknown members of CreateTransformJobRequest: Ardour, Zeal"),
    ],
)
def test_what_is_of_the_wrong_type(shapes: Shapes, body: object, detail: str) -> None:
    error = refused(shapes, "CreateTransformJob", body)

    assert (error.code, error.detail) == ("SerializationException", detail)


def patterns(shape: Shape, seen: set[str]) -> Iterator[str]:
    if shape.name in seen:
        return
    seen.add(shape.name)
    if "pattern" in shape.metadata:
        yield shape.metadata["pattern"]
    for below in (*getattr(shape, "members", {}).values(), *(getattr(shape, part, None) for part in PARTS)):
        if below is not None:
            yield from patterns(below, seen)


def test_every_pattern_of_the_served_operations_is_one_of_pythons() -> None:
    model, seen = service_model(), set[str]()
    shapes = [model.operation_model(operation).input_shape for operation in OPERATIONS]

    found = [compiled(pattern) for shape in shapes for pattern in patterns(shape, seen)]

    assert len(found) > 30
    assert not any(r"\p{" in pattern.pattern for pattern in found)
