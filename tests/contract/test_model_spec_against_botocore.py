"""A model's definition says what botocore's service model says of CreateModel."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
from botocore.model import Shape, StringShape, StructureShape

from airflow_batchtx.errors import InvalidModel
from airflow_batchtx.spec import model
from airflow_batchtx.spec.model import ModelDefinition

MODEL = botocore.session.get_session().get_service_model("sagemaker")
ROLE = "arn:aws:iam::123456789012:role/batch"
NETWORK = {"subnets": ["subnet-1"], "security_groups": ["sg-1"]}
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package"

# By the member's name: its shape, what goes with it, and values of which botocore's patterns take some.
TEXTS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "role": ("RoleArn", {"image": "i"}, [ROLE, ROLE + "/a+b=c,d.e@f-g", "arn:aws:iam::12:role/batch", "batch"]),
    "image": ("ContainerImage", {"role": ROLE}, ["a", "a b", "1.dkr.ecr.eu-west-1.amazonaws.com/churn:7"]),
    "package": ("VersionedArnOrName", {"role": ROLE}, ["churn", f"{ARN}/churn/7", f"{ARN}/churn", "churn-", "a b"]),
    "package_group": ("ArnOrName", {"role": ROLE}, ["churn", f"{ARN}-group/churn", f"{ARN}/churn/7", "churn-", "a_b"]),
    "inference_specification": (
        "InferenceSpecificationName", {"role": ROLE, "package": "p"}, ["small", "a--b", "a-", "a b"],
    ),
    "hostname": ("ContainerHostname", {"role": ROLE, "image": "i"}, ["first", "a--b", "a-", "a_b"]),
}  # fmt: skip


def refused(values: dict[str, Any]) -> bool:
    try:
        ModelDefinition(**values)
    except InvalidModel:
        return True
    return False


def shape_of(name: str) -> StringShape:
    shape = MODEL.shape_for(name)
    assert isinstance(shape, StringShape)
    return shape


@pytest.mark.parametrize("member", TEXTS)
def test_texts(member: str) -> None:
    name, others, values = TEXTS[member]
    said = shape_of(name).metadata
    assert any(re.fullmatch(said["pattern"], value) for value in values)

    for value in values:
        taken = said.get("min", 0) <= len(value) <= said["max"] and re.fullmatch(said["pattern"], value)
        assert refused({**others, member: value}) is not bool(taken), value
    for length in (said["max"], said["max"] + 1):
        value = (ROLE if member == "role" else "").ljust(length, "x")
        if re.fullmatch(said["pattern"], value):
            assert refused({**others, member: value}) is (length > said["max"])


@pytest.mark.parametrize(("member", "name"), [("subnets", "Subnets"), ("security_groups", "VpcSecurityGroupIds")])
def test_lists(member: str, name: str) -> None:
    shape: Any = MODEL.shape_for(name)
    most, element = shape.metadata["max"], shape.member.metadata

    assert element["pattern"].replace("+", f"{{1,{element['max']}}}") == model.NETWORK_ID_PATTERN
    for count in (most, most + 1):
        ids = [f"id-{at}" for at in range(count)]
        assert refused({"role": ROLE, "image": "i", **NETWORK, member: ids}) is (count > most)


def test_variables() -> None:
    shape: Any = MODEL.shape_for("EnvironmentMap")

    assert shape.key.metadata["pattern"] == model.VARIABLE_PATTERN
    assert shape.key.metadata["max"] == shape.value.metadata["max"] == model.MAX_VARIABLE_LENGTH
    assert shape.metadata["max"] == model.MAX_VARIABLES


def test_containers() -> None:
    shape: Shape = MODEL.shape_for("ContainerDefinitionList")

    assert shape.metadata["max"] == model.MAX_CONTAINERS


def test_data_is_what_the_service_takes_less_https() -> None:
    said = shape_of("Url").metadata

    for value in ("s3://b/model.tar.gz", "s3://b", "b/model.tar.gz", "s3://b/" + "x" * said["max"]):
        taken = len(value) <= said["max"] and re.fullmatch(said["pattern"], value)
        assert refused({"role": ROLE, "image": "i", "data": value}) is not bool(taken)


def test_every_path_of_a_request_is_one_of_the_service() -> None:
    definition = ModelDefinition(
        role=ROLE, image="i", data="s3://b/m.tar.gz", environment={"A": "1"}, hostname="a", network_isolation=True,
        **NETWORK,
    )  # fmt: skip
    packaged = ModelDefinition(role=ROLE, containers=[{"package": "churn", "inference_specification": "small"}])
    create = MODEL.operation_model("CreateModel").input_shape

    for request in (definition.to_request("churn", {"a": "b"}), packaged.to_request("churn")):
        assert not list(strangers(create, request))


def strangers(shape: Shape, value: Any) -> list[str]:
    if isinstance(shape, StructureShape):
        unknown = [name for name in value if name not in shape.members]
        return unknown + [
            one for name in value if name in shape.members for one in strangers(shape.members[name], value[name])
        ]
    if shape.type_name == "list":
        return [one for part in value for one in strangers(shape.member, part)]  # type: ignore[attr-defined]
    return []
