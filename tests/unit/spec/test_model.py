"""ModelDefinition: what is refused, what is let through, and the way to a request."""

from __future__ import annotations

import json
import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import InvalidModel
from airflow_batchtx.spec.model import Container, ModelDefinition

ROLE = "arn:aws:iam::123456789012:role/batch"
GROUP = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/churn"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/churn/3"
IMAGE: dict[str, Any] = {"role": ROLE, "image": "image", "data": "s3://bucket/model.tar.gz"}
NETWORK: dict[str, Any] = {"subnets": ["subnet-2", "subnet-1"], "security_groups": ["sg-1"]}


class Later:
    """Stands for an XComArg."""

    def resolve(self, context: Any) -> Any:
        return context


# What is written, and what the complaint names.
REFUSED: list[tuple[dict[str, Any], set[str]]] = [
    ({"role": None, "image": "image"}, {"role"}),
    ({"role": "batch", "image": "image"}, {"role"}),
    ({"role": ROLE}, {"image | package | package_group"}),
    ({"role": ROLE, "image": "image", "package": PACKAGE}, {"image | package | package_group"}),
    ({"role": ROLE, "image": "an image"}, {"image"}),
    ({"role": ROLE, "image": "x" * 256}, {"image"}),
    ({"role": ROLE, "image": 7}, {"image"}),
    ({"role": ROLE, "image": "image", "data": "https://bucket/model.tar.gz"}, {"data"}),
    ({"role": ROLE, "package": PACKAGE, "data": "s3://bucket/model.tar.gz"}, {"data"}),
    ({"role": ROLE, "package": "churn/v3"}, {"package"}),
    ({"role": ROLE, "package_group": "churn/3"}, {"package_group"}),
    ({**IMAGE, "inference_specification": "small"}, {"inference_specification"}),
    ({**IMAGE, "environment": {"1st": "x"}}, {"environment"}),
    ({**IMAGE, "environment": {"A": "x" * 1025}}, {"environment"}),
    ({**IMAGE, "environment": {"A": 1}}, {"environment"}),
    ({**IMAGE, "environment": {f"A{at}": "" for at in range(101)}}, {"environment"}),
    ({**IMAGE, "environment": {f"A{at}": "x" * 1000 for at in range(40)}}, {"environment"}),
    ({**IMAGE, "environment": ["A"]}, {"environment"}),
    ({**IMAGE, "subnets": ["subnet-1"]}, {"security_groups"}),
    ({**IMAGE, "security_groups": ["sg-1"]}, {"subnets"}),
    ({**IMAGE, **NETWORK, "subnets": ["subnet_1"]}, {"subnets"}),
    ({**IMAGE, **NETWORK, "subnets": [f"subnet-{at}" for at in range(17)]}, {"subnets"}),
    ({**IMAGE, **NETWORK, "security_groups": [f"sg-{at}" for at in range(6)]}, {"security_groups"}),
    ({**IMAGE, "network_isolation": "maybe"}, {"network_isolation"}),
    ({**IMAGE, "containers": [Container(image="image")]}, {"image, data"}),
    ({"role": ROLE, "containers": []}, {"containers"}),
    ({"role": ROLE, "containers": [Container(image="i")] * 16}, {"containers"}),
    ({"role": ROLE, "containers": "image"}, {"containers"}),
    ({"role": ROLE, "containers": [{"image": "i"}, {}]}, {"containers[1].image | package | package_group"}),
    ({"role": ROLE, "containers": [{"image": "i", "imgae": "i"}]}, {"containers[0].imgae"}),
    ({"role": ROLE, "containers": [Container(image="i", hostname="a"), Container(image="i")]}, {"containers"}),
    ({"role": ROLE, "containers": [Container(image="i", hostname="a")] * 2}, {"containers"}),
    ({"role": "r", "image": "an image", "environment": {"": ""}}, {"role", "image", "environment"}),
]  # fmt: skip


@pytest.mark.parametrize(("values", "fields"), REFUSED, ids=[f"{at:02}" for at in range(len(REFUSED))])
def test_what_is_wrong_is_named_all_at_once(values: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(InvalidModel) as caught:
        ModelDefinition(**values)

    assert {problem.field for problem in caught.value.problems} == fields
    assert all(problem.rule and problem.remedy for problem in caught.value.problems)


def test_a_member_that_nobody_knows_is_named() -> None:
    with pytest.raises(InvalidModel, match="imgae"):
        ModelDefinition.read({"role": ROLE, "imgae": "image"})


@pytest.mark.parametrize(
    "environment", [{"TOKEN": "hunter2" * 200}, {"1": "hunter2"}, {"A": "hunter2", "B": 5}, "TOKEN=hunter2"]
)
def test_no_message_shows_a_secret(environment: Any) -> None:
    with pytest.raises(InvalidModel) as caught:
        ModelDefinition(**IMAGE, environment=environment)
    with pytest.raises(InvalidModel) as inside:
        ModelDefinition(role=ROLE, containers=[{"image": "i", "environment": environment}, 7])  # type: ignore[list-item]

    assert "hunter2" not in str(caught.value) + str(inside.value)
    assert "hunter2" not in repr(ModelDefinition(**IMAGE, environment={"TOKEN": "hunter2"}))


def test_a_model_of_one_container_as_a_request() -> None:
    definition = ModelDefinition(**IMAGE, **NETWORK, environment={"A": "1"}, network_isolation=True)

    assert definition.to_request("churn-1", {"team": "ml"}) == {
        "ModelName": "churn-1",
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "1"}},
        "VpcConfig": {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": "team", "Value": "ml"}],
    }


def test_a_pipeline_as_a_request() -> None:
    definition = ModelDefinition(
        role=ROLE,
        containers=[
            Container(image="first", hostname="a"),
            {"package": PACKAGE, "inference_specification": "small", "hostname": "b"},
        ],
    )

    assert definition.to_request("churn-1") == {
        "ModelName": "churn-1",
        "ExecutionRoleArn": ROLE,
        "Containers": [
            {"Image": "first", "ContainerHostname": "a"},
            {"ModelPackageName": PACKAGE, "InferenceSpecificationName": "small", "ContainerHostname": "b"},
        ],
    }


def test_a_group_stands_for_a_package_that_is_yet_to_be_found() -> None:
    asked: list[str] = []

    def latest(group: str) -> str:
        asked.append(group)
        return PACKAGE

    definition = ModelDefinition(role=ROLE, package_group=GROUP, environment={"A": "1"})
    pipeline = ModelDefinition(role=ROLE, containers=[Container(image="i"), Container(package_group="churn")])

    with pytest.raises(InvalidModel, match="not resolved"):
        definition.to_request("churn")
    with pytest.raises(InvalidModel, match="not resolved"):
        pipeline.to_request("churn")

    assert definition.resolved(latest) == ModelDefinition(role=ROLE, package=PACKAGE, environment={"A": "1"})
    assert pipeline.resolved(latest).to_request("churn")["Containers"][1] == {"ModelPackageName": PACKAGE}
    assert asked == [GROUP, "churn"]


# ----------------------------------------------------------------------------------------------------- templates


@pytest.mark.parametrize(
    "values",
    [
        {"role": "{{ params.role }}", "image": Later(), "data": "{{ ds }}"},
        {"role": ROLE, "package_group": "{{ params.group }}", "network_isolation": "{{ params.alone }}"},
        {"role": ROLE, "containers": [{"image": "{{ a }}", "environment": {"A": Later()}}, Container(package=Later())]},
        {"role": Later(), "containers": Later(), "subnets": Later(), "security_groups": "{{ params.groups }}"},
        {"role": ROLE, "image": "image", "environment": {"{{ name }}": "{{ value }}"}},
    ],
)
def test_what_is_not_known_yet_passes_and_is_no_request(values: dict[str, Any]) -> None:
    definition = ModelDefinition(**values)

    with pytest.raises(InvalidModel, match="not known yet"):
        definition.to_request("churn")
    with pytest.raises(InvalidModel, match="not known yet"):
        definition.resolved(lambda group: group)


def test_beside_what_is_not_known_the_rest_is_checked() -> None:
    with pytest.raises(InvalidModel) as caught:
        ModelDefinition(
            role="{{ role }}", containers=[{"image": "{{ a }}", "data": "no"}], subnets=["{{ one }}", "two"]
        )

    assert {problem.field for problem in caught.value.problems} == {"containers[0].data", "security_groups"}


def test_rendered_texts_become_what_they_spell() -> None:
    rendered = {
        **IMAGE,
        "data": "None",
        "network_isolation": "False",
        "subnets": "subnet-1, subnet-2",
        "security_groups": "['sg-1']",
        "environment": {},
        "package": "",
    }

    assert ModelDefinition.read(rendered).to_request("churn") == {
        "ModelName": "churn",
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": "image", "Environment": {}},
        "VpcConfig": {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
        "EnableNetworkIsolation": False,
    }


def test_it_travels_as_json_and_by_pickle() -> None:
    definition = ModelDefinition(
        role=ROLE, containers=[Container(image="i", environment={"A": "1"}), Container(package="{{ p }}")], **NETWORK
    )

    again = ModelDefinition.read(json.loads(json.dumps(definition.to_dict())))

    assert again.to_dict() == definition.to_dict() | {"subnets": ["subnet-1", "subnet-2"]}
    assert pickle.loads(pickle.dumps(definition)) == definition


# ------------------------------------------------------------------------------------------------------- content

MEMBERS = st.fixed_dictionaries(
    {"role": st.just(ROLE), "image": st.sampled_from(["one", "two"])},
    optional={
        "data": st.sampled_from(["s3://b/a", "s3://b/b"]),
        "environment": st.dictionaries(st.sampled_from(["A", "B", "C"]), st.text("xyz", max_size=2)),
        "hostname": st.sampled_from(["a", "b"]),
        "network_isolation": st.booleans(),
    },
)


@given(one=MEMBERS, other=MEMBERS, order=st.randoms(use_true_random=False))
def test_the_digest_stands_for_the_content_whatever_its_order(
    one: dict[str, Any], other: dict[str, Any], order: random.Random
) -> None:
    first, second = ModelDefinition(**one), ModelDefinition(**other)
    shuffled = list(one.get("environment", {}).items())
    order.shuffle(shuffled)
    same = ModelDefinition(**one | ({"environment": dict(shuffled)} if "environment" in one else {}))

    assert same.digest == first.digest
    assert (first.digest == second.digest) == (first.to_request("") == second.to_request(""))


def test_subnets_are_a_set() -> None:
    other = {**NETWORK, "subnets": ["subnet-1", "subnet-2", "subnet-1"]}

    assert ModelDefinition(**IMAGE, **NETWORK).digest == ModelDefinition(**IMAGE, **other).digest
