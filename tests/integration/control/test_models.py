"""Models that jobs bring with them, in a real engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from airflow_batchtx.control.models import differences, ensure_model, forget
from airflow_batchtx.errors import ModelCallRefused, ModelNameTaken, ModelNotFound, PackageNotFound
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.spec.model import Container, ModelDefinition
from tests.engines import ROLE, Desk


@pytest.fixture
def registry(desk: Desk) -> Models:
    return Models(desk.client)


@pytest.fixture
def prefix() -> str:
    return f"model-{uuid4().hex[:8]}"


def version(desk: Desk, group: str, image: str, approval: str = "Approved") -> str:
    specification: Any = {
        "Containers": [{"Image": image}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return desk.client.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification=specification,
        ModelApprovalStatus=approval,  # type: ignore[arg-type]
    )["ModelPackageArn"]


def test_twenty_tasks_make_one_model_and_their_jobs_run_it(desk: Desk, registry: Models, prefix: str) -> None:
    desk.put_at("in/a.csv", b"1\n")
    definition = ModelDefinition(role=ROLE, image=desk.models.url("numbered"), environment={"A": "1"})

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ensure_model(registry, definition, prefix=prefix, tags={"a": "b"}), range(20)))

    assert len({one.name for one in found}) == 1
    assert [one.created for one in found].count(True) == 1
    names = [model["ModelName"] for model in desk.client.list_models(NameContains=prefix)["Models"]]
    assert names == [found[0].name]
    assert desk.client.list_tags(ResourceArn=found[0].described["ModelArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert desk.run(found[0].name)["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.csv.out") == b"1\n"


def test_a_model_is_forgotten_once_its_job_is_done(desk: Desk, registry: Models, prefix: str) -> None:
    name = ensure_model(registry, ModelDefinition(role=ROLE, image="image"), prefix=prefix).name

    assert [forget(registry, name), forget(registry, name)] == [True, False]
    with pytest.raises(ModelNotFound):
        registry.describe(name)


def test_an_engines_description_of_a_pipeline_is_what_was_asked_for(registry: Models, prefix: str) -> None:
    definition = ModelDefinition(
        role=ROLE,
        containers=[Container(image="one", hostname="a"), Container(image="two", hostname="b", environment={"A": "1"})],
        subnets=["subnet-2", "subnet-1"],
        security_groups=["sg-1"],
        network_isolation=False,
    )

    first, again = (ensure_model(registry, definition, prefix=prefix) for _ in range(2))

    assert (first.name, first.created, again.created) == (again.name, True, False)
    assert list(differences(definition.to_request(first.name), again.described)) == []


def test_the_latest_approved_package_of_a_group_is_what_runs(desk: Desk, registry: Models, prefix: str) -> None:
    group = f"group-{uuid4().hex[:8]}"
    desk.client.create_model_package_group(ModelPackageGroupName=group)
    desk.put_at("in/a.csv", b"12\n")
    definition = ModelDefinition(role=ROLE, package_group=group)
    with pytest.raises(PackageNotFound) as none:
        ensure_model(registry, definition, prefix=prefix)
    approved = version(desk, group, desk.models.url("echo"))
    pending = version(desk, group, desk.models.url("numbered"), "PendingManualApproval")

    before = ensure_model(registry, definition, prefix=prefix)
    first = desk.run(before.name)
    echoed = desk.get("out/a.csv.out")
    desk.client.update_model_package(ModelPackageArn=pending, ModelApprovalStatus="Approved")
    after = ensure_model(registry, definition, prefix=prefix)
    second = desk.run(after.name)

    assert (none.value.name, none.value.status) == (group, "Approved")
    assert before.described["PrimaryContainer"]["ModelPackageName"] == approved
    assert after.described["PrimaryContainer"]["ModelPackageName"] == pending
    assert before.name != after.name
    assert first["TransformJobStatus"] == second["TransformJobStatus"] == "Completed"
    assert (echoed, desk.get("out/a.csv.out")) == (b"12\n", b"2\n")


def test_what_does_not_exist(registry: Models) -> None:
    with pytest.raises(PackageNotFound) as group:
        registry.latest_package("no-such-group")

    assert group.value.name == "no-such-group"


def test_a_name_that_is_taken_and_a_request_that_is_refused(registry: Models, prefix: str) -> None:
    request = ModelDefinition(role=ROLE, image="image").to_request(prefix)
    registry.create(request)

    with pytest.raises(ModelNameTaken):
        registry.create(request)
    with pytest.raises(ModelCallRefused, match="ValidationException"):
        registry.create({**request, "ModelName": f"{prefix}-2", "ExecutionRoleArn": "not the ARN of any role"})
