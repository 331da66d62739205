"""Model packages over the API: versions of a group, packages by themselves, and the models made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.contract.test_engine_models import ARN, new_name, refusal
from tests.engines import ROLE, Desk

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

IMAGE: dict[str, Any] = {"Image": "image:1", "ModelDataUrl": "s3://b/m.tar.gz"}
SPECIFICATION: Any = {
    "Containers": [IMAGE],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def client(desk: Desk) -> SageMakerClient:
    return desk.client


@pytest.fixture
def group(client: SageMakerClient) -> str:
    client.create_model_package_group(ModelPackageGroupName=(name := f"Group-{uuid4().hex[:8]}"))
    return name


def version(client: SageMakerClient, group: str, **members: Any) -> str:
    given = {"InferenceSpecification": SPECIFICATION, **members}
    return client.create_model_package(ModelPackageGroupName=group, **given)["ModelPackageArn"]


def described(client: SageMakerClient, name: str) -> dict[str, Any]:
    found = dict(client.describe_model_package(ModelPackageName=name))
    del found["ResponseMetadata"], found["CreationTime"]
    return found


def without(found: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("ResponseMetadata", "CreationTime", *names)}


def test_a_group_is_described_as_it_was_created(client: SageMakerClient) -> None:
    name, tags = f"Group-{uuid4().hex[:8]}", [{"Key": "a", "Value": "1"}]
    created: Any = {"ModelPackageGroupName": name, "ModelPackageGroupDescription": "Churn: £ or €?", "Tags": tags}

    arn = client.create_model_package_group(**created)["ModelPackageGroupArn"]

    expected = {
        "ModelPackageGroupName": name,
        "ModelPackageGroupDescription": "Churn: £ or €?",
        "ModelPackageGroupArn": f"{ARN}:model-package-group/{name.lower()}",
        "ModelPackageGroupStatus": "Completed",
        "CreatedBy": {},
    }
    for given in (name, arn):
        assert without(client.describe_model_package_group(ModelPackageGroupName=given)) == expected
    assert client.list_tags(ResourceArn=arn)["Tags"] == tags
    assert refusal(client.create_model_package_group, **created) == (
        "ValidationException",
        f"Model Package Group already exists: {arn}",
    )


def test_versions_of_a_group_are_counted_and_no_number_is_given_twice(client: SageMakerClient, group: str) -> None:
    first, second = version(client, group), version(client, f"{ARN}:model-package-group/{group.lower()}")
    client.delete_model_package(ModelPackageName=second)
    third = version(client, group, ModelApprovalStatus="Approved")

    assert [first, second, third] == [f"{ARN}:model-package/{group.lower()}/{number}" for number in (1, 2, 3)]
    assert described(client, third) == {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": 3,
        "ModelPackageArn": third,
        "InferenceSpecification": SPECIFICATION,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        "CreatedBy": {},
        "ModelApprovalStatus": "Approved",
    }
    assert described(client, f"{group}/1") == described(client, first)
    assert described(client, first)["ModelApprovalStatus"] == "PendingManualApproval"
    assert refusal(client.describe_model_package, ModelPackageName=second) == (
        "ValidationException",
        f"ModelPackage {second} does not exist.",
    )


def test_a_version_has_the_tags_of_its_group(client: SageMakerClient, group: str) -> None:
    arn, of_group = version(client, group), f"{ARN}:model-package-group/{group.lower()}"

    client.add_tags(ResourceArn=of_group, Tags=[{"Key": "a", "Value": "1"}])
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    client.delete_tags(ResourceArn=arn, TagKeys=["a"])

    for resource in (arn, of_group):
        assert client.list_tags(ResourceArn=resource)["Tags"] == [{"Key": "b", "Value": "2"}]
    for number in ("2", "01", "x", ""):
        gone = f"{ARN}:model-package/{group.lower()}/{number}"
        assert refusal(client.list_tags, ResourceArn=gone) == (
            "ValidationException",
            f"Could not find resource: {gone}",
        )


def test_a_package_by_itself(client: SageMakerClient) -> None:
    name, tags = f"Package-{uuid4().hex[:8]}", [{"Key": "a", "Value": "1"}]
    given: Any = {"ModelPackageName": name, "InferenceSpecification": SPECIFICATION, "Tags": tags}

    arn = client.create_model_package(**given)["ModelPackageArn"]
    found = described(client, name)

    assert arn == f"{ARN}:model-package/{name.lower()}"
    assert (found["ModelPackageName"], found["ModelPackageArn"]) == (name, arn)
    assert not {"ModelPackageVersion", "ModelPackageGroupName", "ModelApprovalStatus"} & found.keys()
    assert client.list_tags(ResourceArn=arn)["Tags"] == tags
    assert refusal(client.create_model_package, **given) == (
        "ValidationException",
        f"ModelPackage {arn} already exists.",
    )
    client.delete_model_package(ModelPackageName=arn)
    client.create_model_package(**{**given, "Tags": []})
    assert client.list_tags(ResourceArn=arn)["Tags"] == []


EXTRA: Any = {"Name": "other", "Containers": [IMAGE]}
ENVIRONMENT: Any = {"Containers": [{**IMAGE, "Environment": {"A": "1"}}]}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"ModelPackageName": "a", "ModelPackageGroupName": "b"}, "Both ModelPackageName and ModelPackageGroupName"),
        ({}, "Missing ARN."),
        ({"ModelPackageGroupName": "gone"}, "Model Package Group does not exist."),
        ({"ModelPackageGroupName": "g", "Tags": [{"Key": "a", "Value": "1"}]}, "Tags cannot be specified"),
        ({"ModelPackageGroupName": "g", "CertifyForMarketplace": True}, "CertifyForMarketplace cannot be specified"),
        (
            {"ModelPackageName": "a", "AdditionalInferenceSpecifications": [EXTRA, EXTRA]},
            'more than one additional inference specification "other"',
        ),
        ({"ModelPackageName": "a", "ModelApprovalStatus": "Approved"}, "ModelApprovalStatus cannot be specified"),
        (
            {"ModelPackageName": "a", "InferenceSpecification": ENVIRONMENT},
            "1 validation errors detected:Environment variable map cannot be specified when using non-versioned",
        ),
        (
            {"ModelPackageName": "a", "SourceAlgorithmSpecification": {"SourceAlgorithms": [{"AlgorithmName": "x"}]}},
            "does not support algorithms",
        ),
    ],
)
def test_packages_that_cannot_be(client: SageMakerClient, members: dict[str, Any], said: str) -> None:
    code, message = refusal(client.create_model_package, **{"InferenceSpecification": SPECIFICATION, **members})

    assert code == "ValidationException"
    assert message.startswith(said) or said in message


@pytest.mark.parametrize("operation", ["describe_model_package", "delete_model_package"])
@pytest.mark.parametrize(
    "name",
    [
        "gone",
        "gone/1",
        f"{ARN}:model-package/gone",
        f"{ARN}:model-package-group/gone",
        "arn:aws:sagemaker:eu-west-1:123456789012:model-package/gone",
    ],
)
def test_a_package_that_is_not_there(client: SageMakerClient, operation: str, name: str) -> None:
    arn = name if name.startswith("arn:") else f"{ARN}:model-package/{name}"

    assert refusal(getattr(client, operation), ModelPackageName=name) == (
        "ValidationException",
        f"ModelPackage {arn} does not exist.",
    )


def test_a_group_that_is_not_there(client: SageMakerClient) -> None:
    assert refusal(client.describe_model_package_group, ModelPackageGroupName="gone") == (
        "ValidationException",
        f"ModelPackageGroup {ARN}:model-package-group/gone does not exist.",
    )


def test_groups_are_listed_and_deleted_once_they_are_empty(client: SageMakerClient) -> None:
    mark = uuid4().hex[:8]
    names = [f"{mark}-{letter}" for letter in "bca"]
    for name in names:
        client.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription=f"of {name}")
    arn = version(client, names[0])

    def listed(**query: Any) -> list[str]:
        found = client.list_model_package_groups(NameContains=mark, **query)["ModelPackageGroupSummaryList"]
        return [group["ModelPackageGroupName"][-1] for group in found]

    assert listed() == ["b", "c", "a"]
    assert listed(SortBy="Name", SortOrder="Descending", MaxResults=2) == ["c", "b"]
    pages = client.get_paginator("list_model_package_groups").paginate(
        NameContains=mark, PaginationConfig={"PageSize": 2}
    )
    shown = [group for page in pages for group in page["ModelPackageGroupSummaryList"]]
    assert without(shown[0]) == {
        "ModelPackageGroupName": names[0],
        "ModelPackageGroupArn": f"{ARN}:model-package-group/{names[0]}",
        "ModelPackageGroupDescription": f"of {names[0]}",
        "ModelPackageGroupStatus": "Completed",
    }
    assert len(shown) == 3

    assert refusal(client.delete_model_package_group, ModelPackageGroupName=names[0]) == (
        "ConflictException",
        f"ModelPackageGroup {ARN}:model-package-group/{names[0]} still has model packages.",
    )
    client.delete_model_package(ModelPackageName=arn)
    client.delete_model_package_group(ModelPackageGroupName=names[0])
    assert listed() == ["c", "a"]
    assert refusal(client.delete_model_package_group, ModelPackageGroupName=names[0])[0] == "ValidationException"


def test_an_update_replaces_what_it_names_and_keeps_the_rest(client: SageMakerClient, group: str) -> None:
    arn = version(client, group, CustomerMetadataProperties={"a": "1", "b": "2"}, ModelPackageDescription="d")

    client.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Rejected",
        ApprovalDescription="too old",
        CustomerMetadataProperties={"c": "3"},
        CustomerMetadataPropertiesToRemove=["a"],
        AdditionalInferenceSpecificationsToAdd=[EXTRA],
    )

    found = described(client, arn)
    assert found["LastModifiedTime"]
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Rejected", "too old")
    assert found["CustomerMetadataProperties"] == {"b": "2", "c": "3"}
    assert found["AdditionalInferenceSpecifications"] == [EXTRA]
    assert (found["ModelPackageDescription"], found["InferenceSpecification"]) == ("d", SPECIFICATION)
    again = refusal(client.update_model_package, ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=[EXTRA])
    assert again == ("ValidationException", 'There is more than one additional inference specification "other".')
    assert described(client, arn) == found


def test_only_versions_are_updated(client: SageMakerClient) -> None:
    created = client.create_model_package(ModelPackageName=new_name(), InferenceSpecification=SPECIFICATION)
    arn = created["ModelPackageArn"]

    assert (
        "is no version of a group"
        in refusal(client.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Approved")[1]
    )
    gone = f"{ARN}:model-package/gone/1"
    assert refusal(client.update_model_package, ModelPackageArn=gone)[1] == f"ModelPackage {gone} does not exist."


# -------------------------------------------------------------------------------------------------------- list


@pytest.fixture
def versions(client: SageMakerClient, group: str) -> str:
    """A group of twelve versions of which every third is approved."""
    for number in range(1, 13):
        approval = {} if number % 3 else {"ModelApprovalStatus": "Approved"}
        version(client, group, ModelPackageDescription=f"number {number}", **approval)
    return group


def numbers(client: SageMakerClient, **query: Any) -> list[int]:
    found = client.list_model_packages(**query)["ModelPackageSummaryList"]
    return [package["ModelPackageVersion"] for package in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, list(range(1, 11))),
        ({"MaxResults": 100}, list(range(1, 13))),
        ({"SortOrder": "Descending", "MaxResults": 3}, [12, 11, 10]),
        ({"SortBy": "Name", "MaxResults": 100}, list(range(1, 13))),
        ({"SortBy": "Name", "SortOrder": "Descending", "MaxResults": 4}, [12, 11, 10, 9]),
        ({"ModelApprovalStatus": "Approved"}, [3, 6, 9, 12]),
        (
            {"ModelApprovalStatus": "Approved", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1},
            [12],
        ),
        ({"ModelApprovalStatus": "Rejected"}, []),
        ({"ModelPackageType": "Unversioned", "MaxResults": 1}, [1]),
        ({"NameContains": "nobody"}, []),
        ({"NameContains": "Group-", "MaxResults": 2}, [1, 2]),
    ],
)
def test_versions_are_listed(
    client: SageMakerClient, versions: str, query: dict[str, Any], expected: list[int]
) -> None:
    assert numbers(client, ModelPackageGroupName=versions, **query) == expected


def test_the_summary_of_a_version(client: SageMakerClient, versions: str) -> None:
    found = client.list_model_packages(ModelPackageGroupName=versions, MaxResults=1)["ModelPackageSummaryList"]

    assert without(found[0]) == {
        "ModelPackageGroupName": versions,
        "ModelPackageVersion": 1,
        "ModelPackageArn": f"{ARN}:model-package/{versions.lower()}/1",
        "ModelPackageDescription": "number 1",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "PendingManualApproval",
    }


def test_time_filters_and_pages(client: SageMakerClient, versions: str) -> None:
    moment = client.describe_model_package(ModelPackageName=f"{versions}/6")["CreationTime"]
    here = {"ModelPackageGroupName": versions}
    pages = client.get_paginator("list_model_packages").paginate(**here, PaginationConfig={"PageSize": 5})

    assert max(numbers(client, **here, CreationTimeBefore=moment)) < 6
    assert min(numbers(client, **here, CreationTimeAfter=moment)) > 6
    assert [[one["ModelPackageVersion"] for one in page["ModelPackageSummaryList"]] for page in pages] == [
        [1, 2, 3, 4, 5],
        [6, 7, 8, 9, 10],
        [11, 12],
    ]


def test_without_a_group_packages_by_themselves_are_listed_unless_asked_otherwise(
    client: SageMakerClient, group: str
) -> None:
    mark = group.lower().partition("-")[2]
    client.create_model_package(ModelPackageName=f"{mark}-alone", InferenceSpecification=SPECIFICATION)
    arn = version(client, group)

    def listed(**query: Any) -> list[str]:
        found = client.list_model_packages(NameContains=mark, **query)["ModelPackageSummaryList"]
        return [package["ModelPackageArn"] for package in found]

    alone = f"{ARN}:model-package/{mark}-alone"
    assert listed() == listed(ModelPackageType="Unversioned") == [alone]
    assert listed(ModelPackageType="Versioned") == [arn]
    assert listed(ModelPackageType="Both") == [alone, arn]
    assert listed(ModelPackageGroupName="gone") == []


# ------------------------------------------------------------------------------------------------------ models


def test_a_model_shows_its_package_as_it_was_given(client: SageMakerClient, group: str) -> None:
    version(client, group, ModelApprovalStatus="Approved")
    name, container = new_name(), {"ModelPackageName": f"{group}/1", "Environment": {"A": "1"}}

    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    assert client.describe_model(ModelName=name)["PrimaryContainer"] == {**container, "Mode": "SingleModel"}


@pytest.mark.parametrize("approval", ["PendingManualApproval", "Rejected"])
def test_a_model_needs_an_approved_version(client: SageMakerClient, group: str, approval: Any) -> None:
    arn = version(client, group, ModelApprovalStatus=approval)
    model: dict[str, Any] = {"ModelName": new_name(), "PrimaryContainer": {"ModelPackageName": arn}}

    refused = refusal(client.create_model, **model)
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    assert refused == (
        "ValidationException",
        f"ModelPackage {arn} is not approved: its ModelApprovalStatus is {approval}.",
    )
    assert client.create_model(**model)["ModelArn"]


@pytest.mark.parametrize("beside", [{"Image": "i"}, {"ModelDataUrl": "s3://b/m.tar.gz"}])
def test_a_container_has_a_package_or_an_image(client: SageMakerClient, beside: dict[str, str]) -> None:
    container: Any = {"ModelPackageName": "gone", **beside}

    assert refusal(client.create_model, ModelName=new_name(), PrimaryContainer=container) == (
        "ValidationException",
        "Specify one of either Image and Model Data URL or ModelPackageName in container definition.",
    )


def test_a_model_of_what_a_package_does_not_hold(client: SageMakerClient, group: str) -> None:
    arn = version(client, group, ModelApprovalStatus="Approved")

    def refused(**container: str) -> str:
        return refusal(client.create_model, ModelName=new_name(), PrimaryContainer=container)[1]

    missing = f"{ARN}:model-package/{group.lower()}/9"
    assert refused(ModelPackageName=f"{group}/9") == f"ModelPackage {missing} does not exist."
    assert refused(ModelPackageName=arn, InferenceSpecificationName="other") == (
        f"ModelPackage {arn} has no inference specification other."
    )
    bare = client.create_model_package(
        ModelPackageGroupName=group, SourceUri="s3://b/m", ModelApprovalStatus="Approved"
    )["ModelPackageArn"]
    assert refused(ModelPackageName=bare) == f"ModelPackage {bare} has no inference specification."
