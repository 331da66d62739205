"""Models and the packages that they may be made of, as SageMaker's API offers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from airflow_batchtx.errors import ModelCallRefused, ModelNameTaken, ModelNotFound, PackageNotFound
from airflow_batchtx.sagemaker.failures import MODEL, PACKAGE, typed_errors

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

Described: TypeAlias = Mapping[str, Any]  # what DescribeModel, or DescribeModelPackage, answers

APPROVED = "Approved"
_COMPLETED = "Completed"


class Models:
    """Describes, creates and deletes models; safe to share between threads, as its client is."""

    def __init__(self, client: SageMakerClient) -> None:
        self._client = client

    def describe(self, name: str) -> Described:
        """Give what SageMaker knows of a model; ModelNotFound, ModelCallRefused or ServiceUnavailable."""
        with typed_errors(name, MODEL):
            return cast("Described", self._client.describe_model(ModelName=name))

    def create(self, request: Mapping[str, Any]) -> str:
        """Create the model that a CreateModel request describes, and give its ARN.

        ModelNameTaken, ModelCallRefused, or ServiceUnavailable; after the last the model may exist nevertheless.
        """
        name = request["ModelName"]
        try:
            with typed_errors(name, MODEL):
                return self._client.create_model(**request)["ModelArn"]
        except ModelCallRefused as refused:
            # The same code stands for a name that is taken and for whatever else is invalid: Describe tells.
            if refused.code == "ValidationException" and self._exists(name):
                raise ModelNameTaken(name) from refused
            raise

    def delete(self, name: str) -> bool:
        """Delete a model; False where there is none. Jobs that run it go on. ModelCallRefused or ServiceUnavailable."""
        try:
            with typed_errors(name, MODEL):
                self._client.delete_model(ModelName=name)
        except ModelNotFound:
            return False
        return True

    def latest_package(self, group: str, *, status: str = APPROVED) -> str:
        """Give the ARN of a group's newest completed model package of an approval status.

        PackageNotFound (its `status` is None where there is no such group), ModelCallRefused or ServiceUnavailable.
        """
        with typed_errors(group, PACKAGE):
            pages = self._client.get_paginator("list_model_packages").paginate(
                ModelPackageGroupName=group,
                ModelApprovalStatus=status,  # type: ignore[arg-type]  # any that SageMaker may learn
                SortBy="CreationTime",
                SortOrder="Descending",
            )
            for page in pages:
                for package in page["ModelPackageSummaryList"]:
                    if package["ModelPackageStatus"] == _COMPLETED:
                        return package["ModelPackageArn"]
        raise PackageNotFound(group, status)

    def _exists(self, name: str) -> bool:
        try:
            self.describe(name)
        except ModelNotFound:
            return False
        return True
