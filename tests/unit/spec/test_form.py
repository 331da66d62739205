"""A job's members as fields of a form, and the way back from what somebody has filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from airflow.sdk import DAG, Param
from airflow.sdk.exceptions import ParamValidationError
from hypothesis import given
from hypothesis import strategies as st
from jinja2.nativetypes import NativeEnvironment
from jinja2.sandbox import SandboxedEnvironment

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import InvalidJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import SplitType
from airflow_batchtx.spec.form import REFERENCE, fields
from airflow_batchtx.spec.members import BY_NAME, Kind
from tests.pages import shown

REST = {"input": "s3://b/in/", "output": "s3://b/out/", "model_name": "churn"}
# What Airflow's form reads of a schema, and what only Airflow's server checks. It reads no anyOf and no $ref.
SHOWN = {"type", "title", "section", "description_md", "enum", "values_display", "examples"}
BOUNDS = {"minimum", "maximum", "minLength", "maxLength"}
CHECKED = {"pattern", "minProperties", "maxProperties", "propertyNames", "additionalProperties"}


@pytest.mark.parametrize("name", BY_NAME)
def test_every_member_is_a_field_that_airflow_reads_and_whose_default_holds(name: str) -> None:
    param = TransformJob.params(name)[name]

    param.resolve()
    assert param.schema.keys() <= SHOWN | BOUNDS | CHECKED
    assert param.schema["title"]
    assert param.description is None, "the form would show it in the place of description_md"
    assert f"]({REFERENCE}" in param.schema["description_md"]


@pytest.mark.parametrize("name", BY_NAME)
def test_the_bounds_are_the_tables(name: str) -> None:
    schema, member = TransformJob.params(name)[name].schema, BY_NAME[name]
    lows, highs = ("minimum", "minLength", "minProperties"), ("maximum", "maxLength", "maxProperties")

    assert [schema[low] for low in lows if low in schema] == ([] if member.minimum is None else [member.minimum])
    assert [schema[high] for high in highs if high in schema] == ([] if member.maximum is None else [member.maximum])


def test_what_every_job_needs_is_open_at_once_and_the_rest_in_sections() -> None:
    params = TransformJob.params(*BY_NAME)

    sections = {name: param.schema.get("section") for name, param in params.items()}
    assert [name for name, section in sections.items() if section is None] == [
        "model_name", "input", "output", "instance_type", "instance_count",
    ]  # fmt: skip
    assert sections["input_filter"] == sections["join_source"] == "Filters and join"
    assert sections["max_payload_in_mb"] == sections["invocations_max_retries"] == "Requests to the model"


def test_titles_read_as_people_write() -> None:
    params = TransformJob.params("max_payload_in_mb", "kms_key_id", "s3_data_type", "input")

    assert [param.schema["title"] for param in params.values()] == [
        "Max payload in MB", "KMS key ID", "S3 data type", "Input",
    ]  # fmt: skip


def test_the_filters_that_a_form_proposes_are_taken_by_the_checks() -> None:
    param = TransformJob.params("input_filter")["input_filter"]

    for path in param.schema["examples"]:
        param.resolve(path)
        TransformJob(instance_type="ml.m5.large", content_type="application/json", input_filter=path, **REST)


def test_help_is_markdown() -> None:
    assert "ml.\\<family>.\\<size>" in TransformJob.params("instance_type")["instance_type"].schema["description_md"]


def test_a_menu_tells_nothing_from_none() -> None:
    menu = TransformJob.params("split_type")["split_type"].schema

    assert menu["enum"] == [None, "None", "Line", "RecordIO", "TFRecord"]
    assert [menu["values_display"][key] for key in ("null", "None", "Line")] == ["not set", "None", "Line"]


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
        ("input_filter", "$" * 64),
        ("input_filter", "[1:]"),
        ("output_filter", "$.a_b"),
        ("environment", {"1": "x"}),
        ("environment", {"A": 1}),
        ("environment", {"A": "x" * 10241}),
        ("tags", {"": "x"}),
        ("tags", {"AWS:team": "x"}),
        ("tags", {"team": "x" * 257}),
        ("tags", {"team": "<b>"}),
        ("model_name", None),
    ],
)
def test_a_wrong_value_is_refused_by_the_form(name: str, wrong: object) -> None:
    param = TransformJob.params(name)[name]

    with pytest.raises(ParamValidationError):
        param.resolve(wrong)


def test_a_field_may_begin_with_a_value_of_the_dags() -> None:
    params = TransformJob.params("model_name", model_name="churn", split_type=SplitType.LINE, tags={"team": "ml"})

    assert {name: param.value for name, param in params.items()} == {
        "model_name": "churn", "split_type": "Line", "tags": {"team": "ml"},
    }  # fmt: skip
    for param in params.values():
        param.resolve()


def test_a_field_may_be_left_empty_for_the_dag_to_choose() -> None:
    param = TransformJob.params(input=None)["input"]

    assert param.resolve() is None
    assert "the DAG chooses" in param.schema["description_md"]
    with pytest.raises(ParamValidationError):
        param.resolve("bucket/in/")


def test_unknown_names_and_wrong_defaults_are_all_told() -> None:
    with pytest.raises(InvalidJob) as caught:
        fields(("instance_typ", "model_name", "count"), {"model_name": "a_b", "instance_count": 101, "tags": {"": ""}})

    assert [problem.value for problem in caught.value.problems] == ["instance_typ", "a_b", "count", 101, {"": ""}]


def test_the_forms_of_the_docs_are_forms() -> None:
    words = {"DAG": DAG, "Param": Param, "TransformJob": TransformJob, "BatchTransformOperator": BatchTransformOperator}

    (example,) = shown("run-from-the-form.md", "python")

    exec(example, words)


# -------------------------------------------------------------------------------------------------- the way back


def test_the_way_back_from_a_forms_fields_is_their_templates() -> None:
    params = TransformJob.params("instance_type", "instance_count")

    job = TransformJob.from_params({**params, "unrelated": 1}, **REST)

    assert job.instance_type == "{{ params.instance_type }}"
    assert job.instance_count == "{{ params.instance_count }}"


def test_the_way_back_from_a_runs_values() -> None:
    values: dict[str, Any] = {"instance_type": "ml.c5.xlarge", "instance_count": 2, "batch_strategy": None}

    job = TransformJob.from_params(values, **REST)

    assert job == TransformJob(instance_type="ml.c5.xlarge", instance_count=2, **REST)


def test_a_job_of_a_form_is_a_job_as_any_other() -> None:
    job = TransformJob.from_params(TransformJob.params(*TOGETHER))

    assert TransformJob.from_request(job.to_request()) == job
    assert job.to_state_machine()["States"]


def filled_in(name: str) -> st.SearchStrategy[Any]:
    """What somebody may have filled in: something that the form takes, or nothing."""
    member = BY_NAME[name]
    values: Mapping[Kind, st.SearchStrategy[Any]] = {
        Kind.TEXT: st.sampled_from(member.values or (member.example or "arn:aws:kms:us-east-1:1:key/k",)),
        Kind.INPUT: st.just('s3://b/it\'s "here"/'),
        Kind.INTEGER: st.integers(member.minimum or 0, member.maximum if member.maximum is not None else 100),
        Kind.FLAG: st.booleans(),
        Kind.TEXTS: st.dictionaries(st.from_regex(r"[A-Z]{1,9}", fullmatch=True), st.text(max_size=20), max_size=3),
        Kind.TAGS: st.dictionaries(st.text("ab:/é", min_size=1, max_size=9), st.text("ab: é", max_size=9), max_size=3),
    }
    return values[member.kind] if member.required else st.none() | values[member.kind]


# Alone in their rules: no other value is wrong beside them.
TOGETHER = sorted(BY_NAME.keys() - {
    "s3_data_type", "max_concurrent_transforms", "input_filter", "output_filter", "join_source",
    "data_capture_kms_key_id", "generate_inference_id", "volume_kms_key_id", "name", "transform_ami_version",
    "experiment_name", "trial_name", "trial_component_display_name", "run_name",
})  # fmt: skip


# Airflow renders to texts, unless a DAG asks for native objects.
ENVIRONMENTS = {"texts": SandboxedEnvironment(), "native": NativeEnvironment()}
WRITTEN = wire.flat(TransformJob.from_params(TransformJob.params(*TOGETHER)).to_request())
TEMPLATES = {
    kind: {name: environment.from_string(text) for name, text in WRITTEN.items()}
    for kind, environment in ENVIRONMENTS.items()
}


@pytest.mark.parametrize("kind", ENVIRONMENTS)
@given(values=st.fixed_dictionaries({name: filled_in(name) for name in TOGETHER}))
def test_what_was_filled_in_comes_back_from_its_templates(kind: str, values: dict[str, Any]) -> None:
    rendered = {name: template.render(params=values) for name, template in TEMPLATES[kind].items()}

    found = wire.coerced(wire.nested(rendered))

    assert said(found) == said(TransformJob.from_params(values).to_request())


def said(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says: None is what SageMaker takes a member for that is left out, and native templates do so."""
    members = {name: value for name, value in wire.flat(request).items() if value != "None"}
    return members | {"tags": {tag["Key"]: tag["Value"] for tag in members.get("tags", [])}}
