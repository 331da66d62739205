from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import InvalidJob
from airflow_batchtx.spec.form import fields
from airflow_batchtx.spec.members import BY_NAME

REST = {"input": "s3://b/in/", "output": "s3://b/out/", "model_name": "churn"}


@pytest.mark.parametrize("name", BY_NAME)
def test_every_member_is_a_field_that_airflow_reads_and_whose_default_holds(name: str) -> None:
    param = TransformJob.params(name)[name]

    param.resolve()
    assert param.schema.keys() <= {
        "type", "title", "enum", "examples", "pattern", "minimum", "maximum", "minLength", "maxLength",
        "minProperties", "maxProperties",
    }  # fmt: skip
    assert param.schema["title"]
    assert param.description


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("instance_count", 0),
        ("instance_count", "two"),
        ("split_type", "Row"),
        ("model_name", "a_b"),
        ("max_payload_in_mb", 101),
        ("instance_type", "m5.large"),
        ("output", "bucket/out"),
        ("generate_inference_id", "maybe"),
    ],
)
def test_a_wrong_value_is_refused_by_the_form(name: str, wrong: object) -> None:
    param = TransformJob.params(name)[name]

    with pytest.raises(ParamValidationError):
        param.resolve(wrong)


def test_the_way_back_from_a_forms_fields_is_their_templates() -> None:
    params = TransformJob.params("instance_type", "instance_count")

    job = TransformJob.from_params({**params, "unrelated": 1}, **REST)

    assert job.instance_type == "{{ params.instance_type }}"
    assert job.instance_count == "{{ params.instance_count }}"


def test_the_way_back_from_a_runs_values() -> None:
    values: dict[str, Any] = {"instance_type": "ml.c5.xlarge", "instance_count": 2, "batch_strategy": None}

    job = TransformJob.from_params(values, **REST)

    assert job == TransformJob(instance_type="ml.c5.xlarge", instance_count=2, **REST)


def test_unknown_names_are_all_told() -> None:
    with pytest.raises(InvalidJob) as caught:
        fields(("instance_typ", "model_name", "count"))

    assert [problem.value for problem in caught.value.problems] == ["instance_typ", "count"]
