"""Models and tags over the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.engines import ROLE, Desk, Engine

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def new_name() -> str:
    return f"Model-{uuid4().hex[:8]}"


def test_a_model_is_described_as_it_was_created(desk: Desk) -> None:
    name, container = new_name(), {"Image": "image:1", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"A": "1"}}

    arn = desk.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)["ModelArn"]
    found = desk.client.describe_model(ModelName=name)

    del found["ResponseMetadata"]
    age = datetime.now(timezone.utc) - found.pop("CreationTime")
    assert timedelta() <= age + timedelta(seconds=1) < timedelta(minutes=1)
    assert arn == f"{ARN}:model/{name.lower()}"
    assert found == {
        "ModelName": name,
        "ModelArn": arn,
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": False,
        "PrimaryContainer": {**container, "Mode": "SingleModel"},
    }


def test_a_model_in_a_network_of_its_own(desk: Desk) -> None:
    """VPC and isolation are kept and described, and jobs of such a model run."""
    name, container = new_name(), {"Image": desk.models.url("echo")}
    network: Any = {
        "VpcConfig": {"SecurityGroupIds": ["sg-0a1b2c3d"], "Subnets": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]},
        "EnableNetworkIsolation": True,
    }
    desk.put_at("in/a.csv", b"1\n")

    desk.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container, **network)
    found = desk.client.describe_model(ModelName=name)

    assert {member: found.get(member) for member in network} == network
    assert desk.run(name)["TransformJobStatus"] == "Completed"


def test_a_model_is_there_once(desk: Desk) -> None:
    name = new_name()
    request = {"ModelName": name, "PrimaryContainer": {"Image": "i"}}
    desk.client.create_model(**request)

    code, message = refusal(desk.client.create_model, **request)

    assert (code, message) == (
        "ValidationException",
        f'Cannot create already existing model "{ARN}:model/{name.lower()}".',
    )


@pytest.mark.parametrize("operation", ["describe_model", "delete_model"])
def test_a_model_that_is_not_there(desk: Desk, operation: str) -> None:
    code, message = refusal(getattr(desk.client, operation), ModelName="gone")

    assert (code, message) == ("ValidationException", f'Could not find model "{ARN}:model/gone".')


def test_a_deleted_model_is_gone_with_its_tags(desk: Desk) -> None:
    name = new_name()
    create = {"ModelName": name, "PrimaryContainer": {"Image": "i"}}
    arn = desk.client.create_model(**create, Tags=[{"Key": "a", "Value": "1"}])["ModelArn"]

    desk.client.delete_model(ModelName=name)

    assert refusal(desk.client.describe_model, ModelName=name)[0] == "ValidationException"
    desk.client.create_model(**create)
    assert desk.client.list_tags(ResourceArn=arn)["Tags"] == []


@pytest.mark.parametrize(
    "containers",
    [
        {},
        {"PrimaryContainer": {"Image": "i"}, "Containers": [{"Image": "i"}]},
        {"PrimaryContainer": {"Mode": "SingleModel"}},
        {"Containers": [{"Image": "i", "ContainerHostname": "a"}, {"Image": "i"}]},
        {"Containers": [{"Image": "i", "ContainerHostname": "a"}, {"Image": "i", "ContainerHostname": "a"}]},
    ],
)
def test_a_model_needs_one_kind_of_container(desk: Desk, containers: dict[str, Any]) -> None:
    assert refusal(desk.client.create_model, ModelName=new_name(), **containers)[0] == "ValidationException"


def test_an_environment_has_32_kilobytes_at_most(desk: Desk) -> None:
    def definition(size: int) -> dict[str, Any]:
        environment = {f"N{number}": "x" * (size // 40 - 3) for number in range(10, 50)}
        return {"ModelName": new_name(), "PrimaryContainer": {"Image": "i", "Environment": environment}}

    desk.client.create_model(**definition(32_760))

    code, message = refusal(desk.client.create_model, **definition(32_800))
    assert (code, message) == (
        "ValidationException",
        "The Environment of a container has 32800 characters, more than 32768.",
    )


def test_regions_know_only_their_own(engine: Engine) -> None:
    name, there = new_name(), engine.sagemaker("cn-north-1")

    arn = there.create_model(ModelName=name, PrimaryContainer={"Image": "i"})["ModelArn"]

    assert arn == f"arn:aws-cn:sagemaker:cn-north-1:123456789012:model/{name.lower()}"
    assert there.describe_model(ModelName=name)["ModelArn"] == arn
    assert refusal(engine.sagemaker().describe_model, ModelName=name)[0] == "ValidationException"


def test_listing_goes_through_all_pages(desk: Desk) -> None:
    mark = uuid4().hex[:8]
    names = [f"{mark}-{index}" for index in range(5)]
    for name in names:
        desk.client.create_model(ModelName=name, PrimaryContainer={"Image": "i"})

    pages = desk.client.get_paginator("list_models").paginate(NameContains=mark, PaginationConfig={"PageSize": 2})
    seen = [[model["ModelName"] for model in page["Models"]] for page in pages]

    assert seen == [names[:2:-1], names[2:0:-1], names[:1]]


# -------------------------------------------------------------------------------------------------------- tags


def tags(**pairs: str) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


@pytest.fixture
def arn(desk: Desk) -> str:
    definition = {"ModelName": new_name(), "PrimaryContainer": {"Image": "i"}, "Tags": tags(a="1", b="2")}
    return str(desk.client.create_model(**definition)["ModelArn"])


def test_tags_are_merged_and_the_newest_value_stays(desk: Desk, arn: str) -> None:
    answer = desk.client.add_tags(ResourceArn=arn, Tags=tags(b="3", c="4"))

    assert answer["Tags"] == tags(a="1", b="3", c="4") == desk.client.list_tags(ResourceArn=arn)["Tags"]


def test_tags_are_listed_by_a_paginator_too(desk: Desk, arn: str) -> None:
    pages = list(desk.client.get_paginator("list_tags").paginate(ResourceArn=arn))

    assert [page["Tags"] for page in pages] == [tags(a="1", b="2")]


def test_tags_are_taken_off(desk: Desk, arn: str) -> None:
    desk.client.delete_tags(ResourceArn=arn, TagKeys=["a", "nowhere"])

    assert desk.client.list_tags(ResourceArn=arn)["Tags"] == tags(b="2")


@pytest.mark.parametrize(
    "wrong",
    [
        {"Tags": [*tags(k="1"), *tags(k="2")]},
        {"Tags": tags(**{"aws:mine": "1"})},
        {"Tags": tags(**{f"k{index}": "" for index in range(49)})},
        {"ResourceArn": f"{ARN}:model/gone", "Tags": tags(k="1")},
        {"ResourceArn": f"{ARN}:endpoint/other", "Tags": tags(k="1")},
    ],
)
def test_tags_that_cannot_be(desk: Desk, arn: str, wrong: dict[str, Any]) -> None:
    assert refusal(desk.client.add_tags, **{"ResourceArn": arn, **wrong})[0] == "ValidationException"
    assert desk.client.list_tags(ResourceArn=arn)["Tags"] == tags(a="1", b="2")
