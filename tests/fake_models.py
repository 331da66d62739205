"""A SageMaker client in memory that knows models and model packages."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.fake_sagemaker import CREATED, refusal

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


class FakeModels:
    """Answers as SageMaker does; `trouble` raises an operation's next errors, `before_create` acts as somebody else."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.packages: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.trouble: dict[str, list[Exception]] = defaultdict(list)
        self.before_create = list[dict[str, Any]]()
        self._one_at_a_time = threading.Lock()

    def package(self, group: str, status: str = "Approved", state: str = "Completed") -> str:
        """Add the next version to a group."""
        version = 1 + sum(package["ModelPackageGroupName"] == group for package in self.packages)
        arn = f"{ARN}:model-package/{group}/{version}"
        self.packages.append(
            {
                "ModelPackageGroupName": group,
                "ModelPackageArn": arn,
                "ModelPackageVersion": version,
                "ModelPackageStatus": state,
                "ModelApprovalStatus": status,
                "CreationTime": CREATED,
            }
        )
        return arn

    def create_model(self, **request: Any) -> dict[str, Any]:
        if self.before_create:
            self._keep(self.before_create.pop())
        self._called("CreateModel")
        name = request["ModelName"]
        with self._one_at_a_time:
            if name in self.models:
                raise self._invalid("CreateModel", f'Cannot create already existing model "{ARN}:model/{name}".')
            return {"ModelArn": self._keep(request)["ModelArn"]}

    def describe_model(self, **request: Any) -> dict[str, Any]:
        self._called("DescribeModel")
        if (name := request["ModelName"]) not in self.models:
            raise self._invalid("DescribeModel", f'Could not find model "{ARN}:model/{name}".')
        return self.models[name]

    def delete_model(self, **request: Any) -> None:
        self._called("DeleteModel")
        if self.models.pop(name := request["ModelName"], None) is None:
            raise self._invalid("DeleteModel", f'Could not find model "{ARN}:model/{name}".')

    def get_paginator(self, operation: str) -> FakeModels:
        assert operation == "list_model_packages"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        """Give pages of one package each, and first an empty one, as filters make them."""
        assert (request["SortBy"], request["SortOrder"]) == ("CreationTime", "Descending")
        group, status = request["ModelPackageGroupName"], request["ModelApprovalStatus"]
        found = [package for package in self.packages if package["ModelPackageGroupName"] == group]
        self._called("ListModelPackages")
        if not found:
            raise self._invalid("ListModelPackages", f"ModelPackageGroup {group} does not exist.")
        yield {"ModelPackageSummaryList": []}
        for package in reversed(found):
            if package["ModelApprovalStatus"] == status:
                yield {"ModelPackageSummaryList": [package]}

    def _keep(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelName"]
        kept = {key: value for key, value in request.items() if key != "Tags"}
        filled = {"EnableNetworkIsolation": False, "CreationTime": CREATED, "ModelArn": f"{ARN}:model/{name}"}
        self.models[name] = filled | kept
        return self.models[name]

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if self.trouble[operation]:
            raise self.trouble[operation].pop(0)

    def _invalid(self, operation: str, text: str) -> Exception:
        return refusal(operation, "ValidationException", text)
