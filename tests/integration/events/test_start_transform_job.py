"""The Lambda function that starts a transform job, against the engine: as it is zipped, in a Python of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.engines import Desk
from tests.pages import shown
from tests.queues import ARRIVALS, empty_queues, environment, invoked, received

FUNCTION = "start_transform_job"


def variables(desk: Desk, model: str, **members: Any) -> dict[str, str]:
    """The page's request, for a model and a bucket that are there."""
    request, *_ = (json.loads(block) for block in shown("events.md", "json"))
    request |= {"ModelName": model, **members}
    request["TransformOutput"]["S3OutputPath"] = f"s3://{desk.bucket}/out"
    return environment(desk.engine, REQUEST=json.dumps(request))


def notified(desk: Desk, *keys: str) -> list[str]:
    """Put objects, and give the messages that S3 has sent of them."""
    empty_queues(desk.engine, desk.bucket)
    for key in keys:
        desk.put_at(f"late-payments/arrivals/{key}", "1,2\n3,4\n")
    test, *bodies = received(desk.engine, ARRIVALS)
    assert json.loads(test)["Event"] == "s3:TestEvent"
    assert len(bodies) == len(keys)
    return bodies


def queued(*bodies: str) -> dict[str, Any]:
    """What Lambda makes of messages of a queue."""
    return {
        "Records": [
            {"messageId": f"m{number}", "eventSource": "aws:sqs", "body": body} for number, body in enumerate(bodies)
        ]
    }


def jobs_of(desk: Desk, model: str) -> list[dict[str, Any]]:
    found = desk.client.list_transform_jobs(NameContains=model)["TransformJobSummaries"]
    return [desk.ended(job["TransformJobName"]) for job in found]


def test_each_object_has_one_job_however_often_it_is_told_of(desk: Desk, tmp_path: Path) -> None:
    model = desk.model(desk.models.url("numbered"))
    desk.put_at("late-payments/arrivals/a b.csv.bak", "7\n" * 9)  # begins as the object does
    first, second = notified(desk, "a b.csv", "b.csv")
    both = {"Records": [json.loads(body)["Records"][0] for body in (first, second)]}

    answers = invoked(
        tmp_path, FUNCTION, variables(desk, model), json.loads(first), json.loads(first), both, queued(second, first)
    )

    assert answers == [{"batchItemFailures": []}] * 4
    jobs = jobs_of(desk, model)
    assert [job["TransformJobStatus"] for job in jobs] == ["Completed"] * 2
    outputs = sorted(key.rpartition("/")[2] for key in desk.keys("out/"))
    assert outputs == ["a b.csv.out", "b.csv.out"]
    assert [desk.get(key) for key in desk.keys("out/")] == [b"3\n3\n"] * 2


def test_an_event_of_eventbridge_is_the_same_object(desk: Desk, tmp_path: Path) -> None:
    model = desk.model(desk.models.url("echo"))
    (body,) = notified(desk, "a.csv")
    record = json.loads(body)["Records"][0]["s3"]
    event = {
        "source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-26T08:00:00Z",
        "detail": {
            "bucket": {"name": desk.bucket},
            "object": {"key": "late-payments/arrivals/a.csv", "size": 8, "etag": record["object"]["eTag"]},
        },
    }  # fmt: skip

    invoked(tmp_path, FUNCTION, variables(desk, model), event, json.loads(body))

    assert len(jobs_of(desk, model)) == 1


def test_a_job_that_sagemaker_refuses_comes_again_and_others_do_not(desk: Desk, tmp_path: Path) -> None:
    good, bad = notified(desk, "a.csv", "b.csv")
    lost = json.loads(bad)
    lost["Records"][0]["s3"]["object"]["key"] = "not-encoded-%ZZ"
    no_model = variables(desk, f"no-model-{desk.bucket}")

    (answer,) = invoked(tmp_path, FUNCTION, no_model, queued(good, "no JSON", json.dumps({"Event": "s3:TestEvent"})))
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m0", "m1"]

    model = desk.model(desk.models.url("echo"))
    (answer,) = invoked(tmp_path, FUNCTION, variables(desk, model), queued(good, json.dumps(lost)))
    assert answer == {"batchItemFailures": []}


def test_names_are_what_sagemaker_takes(desk: Desk, tmp_path: Path) -> None:
    model = desk.model(desk.models.url("echo"))
    (body,) = notified(desk, "a.csv")
    long = variables(desk, model, TransformJobName=f"{desk.bucket}_ü_{'x' * 80}")

    assert invoked(tmp_path, FUNCTION, long, json.loads(body)) == [{"batchItemFailures": []}]

    (job,) = desk.client.list_transform_jobs(NameContains=desk.bucket)["TransformJobSummaries"]
    assert len(job["TransformJobName"]) <= 63

    foreign = variables(desk, model, TransformJobName="ü")
    assert invoked(tmp_path, FUNCTION, foreign, json.loads(body)) == [{"batchItemFailures": []}]
