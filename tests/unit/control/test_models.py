"""The model that a job brings with it."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_batchtx.control.models import differences, ensure_model, forget
from airflow_batchtx.errors import ModelCallRefused, ModelConflict, PackageNotFound, ServiceUnavailable
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.spec.limits import MODEL_NAME_PATTERN
from airflow_batchtx.spec.model import Container, ModelDefinition
from tests.fake_models import FakeModels
from tests.fake_sagemaker import refusal

ROLE = "arn:aws:iam::123456789012:role/batch"
DEFINITION = ModelDefinition(role=ROLE, image="image", data="s3://b/model.tar.gz", environment={"A": "1"})


@pytest.fixture
def fake() -> FakeModels:
    return FakeModels()


@pytest.fixture
def models(fake: FakeModels) -> Models:
    return Models(fake)  # type: ignore[arg-type]


def test_a_model_is_created_once_for_each_content(fake: FakeModels, models: Models) -> None:
    other = ModelDefinition(role=ROLE, image="image", data="s3://b/model.tar.gz", environment={"A": "2"})

    first = ensure_model(models, DEFINITION, prefix="churn", tags={"team": "ml"})
    again = ensure_model(models, DEFINITION, prefix="churn")
    changed = ensure_model(models, other, prefix="churn")

    assert [first.created, again.created, changed.created] == [True, False, True]
    assert first.name == again.name != changed.name
    assert re.fullmatch("churn-[0-9a-f]{12}", first.name)
    assert first.described["ModelArn"].endswith(first.name)
    assert sorted(fake.models) == sorted([first.name, changed.name])
    assert fake.calls.count("CreateModel") == 2


def test_whatever_the_prefix_the_name_is_one_that_sagemaker_takes(models: Models) -> None:
    for prefix in ("", "dag__with.dots-" * 9, "模型"):
        name = ensure_model(models, DEFINITION, prefix=prefix).name
        assert len(name) <= 63
        assert re.fullmatch(MODEL_NAME_PATTERN, name)


def test_losing_a_race_means_reuse(fake: FakeModels, models: Models) -> None:
    name = ensure_model(models, DEFINITION, prefix="churn").name
    fake.before_create.append(DEFINITION.to_request(name))
    del fake.models[name]

    found = ensure_model(models, DEFINITION, prefix="churn")

    assert (found.name, found.created) == (name, False)


def test_tasks_that_start_in_the_same_second_make_one_model(fake: FakeModels, models: Models) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: ensure_model(models, DEFINITION, prefix="churn"), range(64)))

    assert len(fake.models) == 1
    assert {one.name for one in found} == set(fake.models)
    assert sum(one.created for one in found) == 1


def test_a_name_that_stands_for_something_else_is_refused(fake: FakeModels, models: Models) -> None:
    name = ensure_model(models, DEFINITION, prefix="churn").name
    fake.models[name]["PrimaryContainer"] = {"Image": "other", "Environment": {"A": "1"}}

    with pytest.raises(ModelConflict) as caught:
        ensure_model(models, DEFINITION, prefix="churn")

    assert caught.value.model_name == name
    assert caught.value.members == ("PrimaryContainer.Image", "PrimaryContainer.ModelDataUrl")


def test_a_group_means_its_latest_approved_package(fake: FakeModels, models: Models) -> None:
    definition = ModelDefinition(role=ROLE, package_group="churn")
    with pytest.raises(PackageNotFound):
        ensure_model(models, definition, prefix="churn")
    first = fake.package("churn")
    fake.package("churn", status="PendingManualApproval")

    before, again = (ensure_model(models, definition, prefix="churn") for _ in range(2))
    second = fake.package("churn")
    after = ensure_model(models, definition, prefix="churn")

    assert before.name == again.name != after.name
    assert [one.described["PrimaryContainer"] for one in (before, after)] == [
        {"ModelPackageName": first},
        {"ModelPackageName": second},
    ]


@pytest.mark.parametrize("operation", ["DescribeModel", "CreateModel"])
@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", ModelCallRefused), ("ThrottlingException", ServiceUnavailable)]
)
def test_what_is_in_the_way_is_raised(
    fake: FakeModels, models: Models, operation: str, code: str, kind: type[Exception]
) -> None:
    fake.trouble[operation] = [refusal(operation, code)]

    with pytest.raises(kind):
        ensure_model(models, DEFINITION, prefix="churn")


# ------------------------------------------------------------------------------------------------------- forgetting


def test_a_model_is_forgotten_once(fake: FakeModels, models: Models) -> None:
    name = ensure_model(models, DEFINITION, prefix="churn").name

    assert [forget(models, name), forget(models, name)] == [True, False]
    assert not fake.models


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_model_that_stays_is_a_warning_and_no_failure(
    fake: FakeModels, models: Models, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    fake.trouble["DeleteModel"] = [refusal("DeleteModel", code, "as AWS puts it")]

    assert not forget(models, "churn-1")
    assert [(line.levelno, "as AWS puts it" in line.getMessage()) for line in caplog.records] == [
        (logging.WARNING, True)
    ]


# ---------------------------------------------------------------------------------------------------- differences

PIPELINE = ModelDefinition(
    role=ROLE, containers=[Container(image="one"), Container(image="two", environment={"A": "1", "B": "2"})],
    subnets=["subnet-1", "subnet-2"], security_groups=["sg-1"], network_isolation=False,
).to_request("churn")  # fmt: skip
AS_AWS_TELLS_IT: dict[str, Any] = {
    "ModelName": "churn",
    "ModelArn": "arn",
    "ExecutionRoleArn": ROLE,
    "Containers": [
        {"Image": "one", "Mode": "SingleModel", "Environment": {}, "ContainerHostname": "container-1"},
        {"Image": "two", "Mode": "SingleModel", "Environment": {"B": "2", "A": "1"}},
    ],
    "VpcConfig": {"Subnets": ["subnet-2", "subnet-1"], "SecurityGroupIds": ["sg-1"]},
}


def test_what_aws_adds_and_what_order_it_chooses_is_no_difference() -> None:
    assert list(differences(PIPELINE, AS_AWS_TELLS_IT)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ExecutionRoleArn": ROLE + "2"}, ["ExecutionRoleArn"]),
        ({"EnableNetworkIsolation": True}, ["EnableNetworkIsolation"]),
        ({"VpcConfig": {**AS_AWS_TELLS_IT["VpcConfig"], "Subnets": ["subnet-1"]}}, ["VpcConfig.Subnets"]),
        ({"VpcConfig": None}, ["VpcConfig"]),
        ({"Containers": AS_AWS_TELLS_IT["Containers"][:1]}, ["Containers"]),
        ({"Containers": AS_AWS_TELLS_IT["Containers"][::-1]}, [
            "Containers[0].Image", "Containers[1].Image", "Containers[1].Environment.A", "Containers[1].Environment.B",
        ]),
    ],
)  # fmt: skip
def test_each_difference_is_named(change: dict[str, Any], named: list[str]) -> None:
    assert list(differences(PIPELINE, AS_AWS_TELLS_IT | change)) == named
