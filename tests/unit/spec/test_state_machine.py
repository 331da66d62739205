"""A job as a state machine: what is written, by the rules of the Amazon States Language and of CreateTransformJob."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import InvalidJob
from airflow_batchtx.spec.state_machine import FIRST_PAUSE, MOST_ATTEMPTS, execution_input, state_machine
from tests.asl import faults

TOPIC = "arn:aws:sns:us-east-1:123456789012:failures"
JOB: dict[str, Any] = {
    "model_name": "churn",
    "input": "s3://lake/in/",
    "output": "s3://lake/out/",
    "instance_type": "ml.m5.large",
}
FULL: dict[str, Any] = {
    **JOB,
    "instance_count": 2,
    "content_type": "text/csv",
    "split_type": "Line",
    "assemble_with": "Line",
    "input_filter": "$[1:]",
    "join_source": "Input",
    "environment": {"LEVEL": "1"},
    "tags": {"team": "risk"},
    "invocations_max_retries": 3,
}


def machine(options: Mapping[str, Any] = FULL, **asked: Any) -> dict[str, Any]:
    return TransformJob(**options).to_state_machine(**asked)


def called(definition: Mapping[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = definition["States"]["Transform"]["Parameters"]
    return parameters


def resolved(value: Any, brought: Mapping[str, Any]) -> Any:
    """Put in what an execution would."""
    known = {"$.name": "churn-0a1b-1", **{f"$$.Execution.Input.{name}": part for name, part in brought.items()}}
    if not isinstance(value, Mapping):
        return value
    return {
        key.removesuffix(".$"): known[part] if key.endswith(".$") else resolved(part, brought)
        for key, part in value.items()
    }


@pytest.mark.parametrize("sdk", [False, True])
@pytest.mark.parametrize("notify", [None, TOPIC])
@pytest.mark.parametrize("options", [JOB, FULL])
def test_it_keeps_the_rules_of_the_language(options: dict[str, Any], notify: str | None, sdk: bool) -> None:
    assert faults(machine(options, sdk=sdk, notify=notify)) == []


def test_it_is_plain_json() -> None:
    definition = machine(notify=TOPIC)

    assert json.loads(json.dumps(definition)) == definition


def test_the_call_is_the_jobs_request_under_a_name_of_its_own() -> None:
    job = TransformJob(**FULL, name="nightly")

    sent = resolved(called(job.to_state_machine()), {})

    assert sent == {**job.to_request(), "TransformJobName": "churn-0a1b-1"}
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateTransformJob")
    assert not ParamValidator().validate(sent, shape.input_shape).has_errors()


def test_what_is_open_comes_with_the_execution() -> None:
    options = {
        **FULL,
        "input": "s3://lake/day={{ ds }}/",
        "instance_count": "{{ params.n }}",
        "tags": {"day": "{{ ds }}"},
    }

    sent = called(machine(options))

    assert sent["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri.$"] == "$$.Execution.Input.input"
    assert sent["TransformResources"] == {
        "InstanceType": "ml.m5.large",
        "InstanceCount.$": "$$.Execution.Input.instance_count",
    }
    assert sent["Tags.$"] == "$$.Execution.Input.tags"
    assert faults(machine(options)) == []


def test_all_of_it_may_come_with_the_execution() -> None:
    request = TransformJob(**FULL).to_request()
    brought = execution_input(request)

    definition = state_machine(request, inputs=brought)

    assert resolved(called(definition), brought) == {**request, "TransformJobName": "churn-0a1b-1"}
    other = TransformJob(**{**FULL, "input": "s3://lake/other/", "instance_count": 9}).to_request()
    assert state_machine(other, inputs=brought)["States"] == definition["States"]


@pytest.mark.parametrize(("sdk", "resource"), [
    (False, "arn:aws:states:::sagemaker:createTransformJob.sync"),
    (True, "arn:aws:states:::aws-sdk:sagemaker:createTransformJob"),
])  # fmt: skip
def test_the_two_ways_to_call(sdk: bool, resource: str) -> None:
    assert machine(sdk=sdk)["States"]["Transform"]["Resource"] == resource


def test_another_partition() -> None:
    states = machine(notify=TOPIC, partition="aws-cn")["States"]

    assert {state["Resource"].split(":")[1] for state in states.values() if "Resource" in state} == {"aws-cn"}


@pytest.mark.parametrize(("sdk", "busy"), [
    (False, {"ThrottlingException", "SageMaker.AmazonSageMakerException", "SageMaker.SdkClientException"}),
    (True, {"SageMaker.ThrottlingException", "SageMaker.SageMakerException", "SageMaker.SdkClientException"}),
])  # fmt: skip
def test_calls_are_tried_again_by_the_class_of_the_error(sdk: bool, busy: set[str]) -> None:
    quota, throttled = machine(sdk=sdk)["States"]["Transform"]["Retry"]

    assert quota["ErrorEquals"] == ["SageMaker.ResourceLimitExceededException"]
    assert set(throttled["ErrorEquals"]) == busy
    for retrier in (quota, throttled):
        assert (retrier["BackoffRate"], retrier["JitterStrategy"]) == (2, "FULL")


def test_a_job_that_failed_is_never_made_again_under_its_name() -> None:
    """States.TaskFailed in a retrier would meet ResourceInUse, and hide why the job failed."""
    for sdk in (False, True):
        retried = {error for rule in machine(sdk=sdk)["States"]["Transform"]["Retry"] for error in rule["ErrorEquals"]}
        assert not retried & {"States.TaskFailed", "States.ALL", "SageMaker.ResourceInUseException"}


def test_after_a_call_without_an_answer_a_job_is_looked_for() -> None:
    """It may have been made; that SageMaker refused it is known of others only."""
    refused, found, _ = machine()["States"]["Transform"]["Catch"]

    assert "SageMaker.SdkClientException" not in refused["ErrorEquals"]
    assert "States.TaskFailed" in found["ErrorEquals"]


def test_a_look_without_an_answer_is_not_the_end_of_a_job() -> None:
    for sdk in (False, True):
        (retrier,) = machine(sdk=sdk)["States"]["Look"]["Retry"]
        assert "SageMaker.SdkClientException" in retrier["ErrorEquals"]


def test_no_pause_is_longer_than_step_functions_waits() -> None:
    """And none is beyond what its arithmetic knows."""
    assert FIRST_PAUSE * 2 ** (MOST_ATTEMPTS - 1) < 24 * 3600


def test_only_with_a_topic_people_are_told() -> None:
    assert "Tell" not in machine()["States"]
    assert machine(notify=TOPIC)["States"]["Tell"]["Parameters"]["TopicArn"] == TOPIC


@given(st.text(min_size=1).filter(lambda name: any(c.isascii() and c.isalnum() for c in name)))
def test_any_name_gives_names_that_sagemaker_takes(name: str) -> None:
    request = {**TransformJob(**JOB).to_request(), "TransformJobName": name}

    formula = state_machine(request)["States"]["Name"]["Parameters"]["name.$"]

    head = formula.removeprefix("States.Format('").partition("-{}-{}'")[0]
    longest = f"{head}-{'0' * 32}-{MOST_ATTEMPTS}"
    assert len(longest) <= 63
    assert longest.replace("-", "").isalnum()
    assert longest.isascii()
    assert not head.startswith("-")


@pytest.mark.parametrize(("options", "asked", "field"), [
    ({"input": ["s3://lake/a/", "s3://lake/b/"]}, {}, "input"),
    ({}, {"attempts": 0}, "attempts"),
    ({}, {"attempts": MOST_ATTEMPTS + 1}, "attempts"),
    ({}, {"interval": 0}, "interval"),
    ({}, {"notify": "failures"}, "notify"),
    ({}, {"notify": f"{TOPIC}.fifo"}, "notify"),
    ({}, {"partition": "amazon"}, "partition"),
])  # fmt: skip
def test_what_no_state_machine_can_do(options: dict[str, Any], asked: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        machine({**JOB, **options}, **asked)

    assert [problem.field for problem in refused.value.problems] == [field]


def test_a_prepared_input_is_its_prefix() -> None:
    told = {"input": "s3://lake/shards/", "manifest": "s3://lake/m.json", "content_type": "text/csv",
            "split_type": "Line", "assemble_with": "Line", "shards": 1, "rows": 2}  # fmt: skip

    sent = resolved(called(machine({**JOB, "input": told})), {})

    assert sent["TransformInput"] == {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lake/shards/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    }
