"""State machines as moto's interpreter runs them, on jobs that the engine really runs.

What moto does not do: wait for `.sync`, evaluate JSONata, and spell names of errors as AWS does. What it says
`sagemaker.` for is read as `SageMaker.` here; what `.sync` does is done by a branch of states.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from airflow_batchtx.spec.state_machine import state_machine
from tests.engines import Desk
from tests.state_machines import StepFunctions

WAYS = ("sdk", "sync")
NO_CAPACITY = {"BATCHTX_FAULTS": json.dumps({"capacity_error": True})}

# What `.sync` does, of pieces that moto knows: it gives what Describe says at the end, and fails with a job that does.
WAITS_FOR_A_JOB: Mapping[str, Any] = {
    "StartAt": "Make",
    "States": {
        "Make": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:createTransformJob",
            "ResultPath": None,
            "Next": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Look"},
        "Look": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:describeTransformJob",
            "Parameters": {"TransformJobName.$": "$.name"},
            "ResultPath": "$.job",
            "Next": "Judge",
        },
        "Judge": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.job.TransformJobStatus", "StringEquals": "InProgress", "Next": "Wait"},
                {"Variable": "$.job.TransformJobStatus", "StringEquals": "Completed", "Next": "Done"},
            ],
            "Default": "Failed",
        },
        "Done": {"Type": "Succeed", "OutputPath": "$.job"},
        "Failed": {"Type": "Fail", "Error": "TheJobFailed", "Cause": "the job"},
    },
}


def runnable(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Give a definition that moto can run, with pauses of one second."""
    made: dict[str, Any] = json.loads(json.dumps(definition).replace('"SageMaker.', '"sagemaker.'))
    made["States"]["Begin"]["Result"]["pause"] = 1
    transform = made["States"]["Transform"]
    if transform.pop("Resource").endswith("createTransformJob.sync"):
        branch = {**WAITS_FOR_A_JOB, "States": {**WAITS_FOR_A_JOB["States"]}}
        branch["States"]["Make"] = {**branch["States"]["Make"], "Parameters": transform.pop("Parameters")}
        made["States"]["Transform"] = {**transform, "Type": "Parallel", "Branches": [branch]}
    else:
        transform["Resource"] = definition["States"]["Transform"]["Resource"]
    return made


def run(
    states: StepFunctions, request: Mapping[str, Any], way: str, given: Mapping[str, Any] | None = None, **options: Any
) -> tuple[dict[str, Any], list[str]]:
    """Run a job in one of the two ways, and give the execution and the states that it went through."""
    definition = state_machine(request, sdk=way == "sdk", interval=1, **options)
    ended = states.run(runnable(definition), given or {})
    return ended, states.states(ended["executionArn"])


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.put_at("in/a.csv", "1,2\n3,4\n")
    return desk


@pytest.mark.parametrize("way", WAYS)
def test_a_job_from_the_executions_input(desk: Desk, states: StepFunctions, way: str) -> None:
    request = desk.request(desk.model(desk.models.url("echo")), S3Uri="{{ source }}", S3OutputPath="{{ target }}")
    place = {"input": f"s3://{desk.bucket}/in/", "output": f"s3://{desk.bucket}/out/day=1/"}

    ended, through = run(states, request, way, place)

    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert (output["TransformJobStatus"], output["Attempts"]) == ("Completed", 1)
    assert output["S3OutputPath"] == place["output"]
    assert desk.get("out/day=1/a.csv.out") == b"1,2\n3,4\n"
    described = desk.ended(output["TransformJobName"])
    assert described["TransformJobArn"] == output["TransformJobArn"]
    assert output["TransformJobName"].startswith(request["TransformJobName"])
    assert (through[0], through[-1]) == ("Begin", "Done")


@pytest.mark.parametrize("way", WAYS)
def test_a_job_that_fails_tells_its_class(desk: Desk, states: StepFunctions, way: str) -> None:
    ended, through = run(states, desk.request(desk.model(desk.models.url("broken"))), way)

    assert (ended["status"], ended["error"]) == ("FAILED", "AlgorithmError")
    assert "AlgorithmError: See job logs for more information" in ended["cause"]
    assert through[-2:] == ["Reason", "Failed"]
    assert through.count("Transform") == 1


@pytest.mark.parametrize("way", WAYS)
def test_where_there_is_no_capacity_the_next_job_has_a_name_of_its_own(
    desk: Desk, states: StepFunctions, way: str
) -> None:
    request = desk.request(desk.model(desk.models.url("echo")), Environment=NO_CAPACITY)

    ended, through = run(states, request, way, attempts=2)

    assert (ended["status"], ended["error"]) == ("FAILED", "CapacityError")
    assert through.count("Transform") == 2
    head = request["TransformJobName"]
    made = desk.client.list_transform_jobs(NameContains=head)["TransformJobSummaries"]
    assert sorted(job["TransformJobName"][-2:] for job in made) == ["-1", "-2"]


@pytest.mark.parametrize("way", WAYS)
def test_people_are_told_why(desk: Desk, states: StepFunctions, way: str) -> None:
    sns, sqs = states.other("sns"), states.other("sqs")
    topic = sns.create_topic(Name=f"failures-{uuid4().hex[:8]}")["TopicArn"]
    queue = sqs.create_queue(QueueName=f"failures-{uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    ended, _ = run(states, desk.request(desk.model(desk.models.url("broken"))), way, notify=topic)

    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(message["Body"])
    assert (told["Execution"], told["Error"]) == (ended["executionArn"], "AlgorithmError")
    assert told["Cause"] == ended["cause"]


def test_a_message_that_cannot_be_sent_hides_no_failure(desk: Desk, states: StepFunctions) -> None:
    definition = state_machine(
        desk.request(desk.model(desk.models.url("broken"))), sdk=True, interval=1,
        notify="arn:aws:sns:us-east-1:123456789012:nowhere",
    )  # fmt: skip
    definition["States"]["Tell"]["Retry"][0]["MaxAttempts"] = 0

    ended = states.run(definition, {})

    assert (ended["status"], ended["error"]) == ("FAILED", "AlgorithmError")


def test_a_call_that_is_refused_tells_how(desk: Desk, states: StepFunctions) -> None:
    definition = state_machine(desk.request("no-such-model"), sdk=True, interval=1)

    ended = states.run(definition, {})

    assert (ended["status"], ended["error"]) == ("FAILED", "Call.sagemaker.sagemakerException")
    assert "no-such-model" in ended["cause"]


def test_a_job_that_is_there_already_is_gone_on_with(desk: Desk, states: StepFunctions) -> None:
    """As after a call whose answer was lost, and which Step Functions makes again."""
    definition = runnable(state_machine(desk.request(desk.model(desk.models.url("echo"))), sdk=True, interval=1))
    transform = definition["States"]["Transform"]
    definition["States"]["Transform"] = {**transform, "Next": "Twice"}
    definition["States"]["Twice"] = transform

    ended = states.run(definition, {})

    assert (ended["status"], json.loads(ended["output"])["TransformJobStatus"]) == ("SUCCEEDED", "Completed")
    assert "Twice" in states.states(ended["executionArn"])


def test_a_job_that_somebody_stops(desk: Desk, states: StepFunctions) -> None:
    definition = state_machine(desk.request(desk.model(desk.models.url("held"))), sdk=True, interval=1)
    definition["States"]["Stop"] = {
        "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sagemaker:stopTransformJob",
        "Parameters": {"TransformJobName.$": "$.name"}, "ResultPath": None, "Next": "Wait",
    }  # fmt: skip
    definition["States"]["Transform"]["Next"] = "Stop"

    ended = states.run(definition, {})

    assert (ended["status"], ended["error"]) == ("FAILED", "Stopped")


def test_moto_does_not_wait_for_sync(desk: Desk, states: StepFunctions) -> None:
    """Once it does, the branch of states in its place is not needed any more."""
    ended = states.run(state_machine(desk.request(desk.model(desk.models.url("echo"))), interval=1), {})

    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "createTransformJob.sync" in ended["cause"]
