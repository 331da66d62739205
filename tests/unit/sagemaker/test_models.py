"""Models and model packages, against a client that is handed in."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.errors import (
    ModelCallRefused,
    ModelNameTaken,
    ModelNotFound,
    PackageNotFound,
    ServiceUnavailable,
)
from airflow_batchtx.sagemaker.models import Models
from tests.fake_models import FakeModels
from tests.fake_sagemaker import refusal

REQUEST: dict[str, Any] = {"ModelName": "churn", "PrimaryContainer": {"Image": "image"}}


@pytest.fixture
def fake() -> FakeModels:
    return FakeModels()


def test_a_model_is_created_described_and_deleted(fake: FakeModels) -> None:
    models = Models(fake)  # type: ignore[arg-type]

    arn = models.create(REQUEST)

    assert models.describe("churn")["ModelArn"] == arn
    assert [models.delete("churn"), models.delete("churn")] == [True, False]
    with pytest.raises(ModelNotFound):
        models.describe("churn")


def test_a_name_that_is_taken_is_told_from_what_is_invalid(fake: FakeModels) -> None:
    models = Models(fake)  # type: ignore[arg-type]
    fake.trouble["CreateModel"] = [refusal("CreateModel", "ValidationException", "2 validation errors detected")]

    with pytest.raises(ModelCallRefused, match="2 validation errors"):
        models.create(REQUEST)
    models.create(REQUEST)
    with pytest.raises(ModelNameTaken):
        models.create(REQUEST)


@pytest.mark.parametrize(
    ("operation", "code", "kind"),
    [
        ("CreateModel", "AccessDeniedException", ModelCallRefused),
        ("CreateModel", "ThrottlingException", ServiceUnavailable),
        ("DescribeModel", "AccessDeniedException", ModelCallRefused),
        ("DeleteModel", "AccessDeniedException", ModelCallRefused),
    ],
)
def test_what_else_may_happen(fake: FakeModels, operation: str, code: str, kind: type[Exception]) -> None:
    models = Models(fake)  # type: ignore[arg-type]
    calls = {
        "CreateModel": lambda: models.create(REQUEST),
        "DescribeModel": lambda: models.describe("churn"),
        "DeleteModel": lambda: models.delete("churn"),
    }
    fake.trouble[operation] = [refusal(operation, code)]

    with pytest.raises(kind):
        calls[operation]()


def test_the_latest_package_is_the_newest_that_is_approved_and_complete(fake: FakeModels) -> None:
    fake.package("churn")
    wanted = fake.package("churn")
    fake.package("churn", state="Failed")
    fake.package("churn", status="PendingManualApproval")
    fake.package("other")
    models = Models(fake)  # type: ignore[arg-type]

    assert models.latest_package("churn") == wanted


def test_a_group_without_an_approved_package_is_told_from_one_that_does_not_exist(fake: FakeModels) -> None:
    fake.package("churn", status="Rejected")
    models = Models(fake)  # type: ignore[arg-type]

    with pytest.raises(PackageNotFound) as none:
        models.latest_package("churn")
    with pytest.raises(PackageNotFound) as missing:
        models.latest_package("nobody")

    assert (none.value.name, none.value.status) == ("churn", "Approved")
    assert (missing.value.name, missing.value.status) == ("nobody", None)
