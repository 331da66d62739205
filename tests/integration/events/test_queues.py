"""Queues as docs/events.md makes them, and what the watchers find in them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

from airflow_batchtx.errors import QueueRefused
from airflow_batchtx.sagemaker.queues import Queue
from airflow_batchtx.triggers.queue_stream import QueueStream
from airflow_batchtx.triggers.queues import ArrivalTrigger, JobEndTrigger
from tests.engines import Desk, Engine, client_of
from tests.queues import ARRIVALS, JOB_ENDS, empty_queues, make_queues, received, send, sqs, waiting

SOON = 1  # second until a message that was received and not deleted comes again


@pytest.fixture
def watched(desk: Desk) -> Desk:
    """A desk whose bucket and jobs the page's queues are told of."""
    empty_queues(desk.engine, desk.bucket, SOON)
    return desk


def told(
    engine: Engine, name: str, kind: type[ArrivalTrigger | JobEndTrigger], until: Callable[[list[Any]], bool]
) -> list[Any]:
    """Watch a queue until its events are enough, and delete their messages."""

    async def work() -> list[Any]:
        stream = QueueStream(lambda: Queue(sqs(engine), name), kind.read, linger=0, most=10)
        found: list[Any] = []
        async for events, receipts in stream.open_stream():
            found += events
            await stream.advance([AdvanceItem(receipts, AdvanceOutcome(acked=1, failed=0))])
            if until(found):
                break
        await stream.aclose()
        return found

    return asyncio.run(asyncio.wait_for(work(), 60))


def test_objects_that_arrive_below_the_folder_are_told_of(watched: Desk) -> None:
    for key in (
        "late-payments/arrivals/a b+ü.csv",
        "late-payments/arrivals/b.txt",
        "elsewhere/c.csv",
        "late-payments/arrivals/d.csv",
    ):
        watched.put_at(key, "1,2\n")

    found = told(watched.engine, ARRIVALS, ArrivalTrigger, lambda found: len(found) == 2)

    prefix = f"s3://{watched.bucket}/late-payments/arrivals"
    assert sorted(event["uri"] for event in found) == [f"{prefix}/a b+ü.csv", f"{prefix}/d.csv"]
    assert {event["size"] for event in found} == {4}
    assert waiting(watched.engine, ARRIVALS) == 0


def test_the_notifications_that_a_bucket_has_are_kept(watched: Desk) -> None:
    s3, engine = watched.engine.s3, watched.engine
    sqs(engine).create_queue(QueueName="another")
    configured = s3.get_bucket_notification_configuration(Bucket=watched.bucket)["QueueConfigurations"]
    another = {
        "Id": "another",
        "QueueArn": configured[0]["QueueArn"].replace(ARRIVALS, "another"),
        "Events": ["s3:ObjectRemoved:*"],
    }
    s3.put_bucket_notification_configuration(
        Bucket=watched.bucket,
        NotificationConfiguration={"QueueConfigurations": [*configured, another]},  # type: ignore[typeddict-item, list-item]
    )

    make_queues(engine, watched.bucket, SOON)

    again = s3.get_bucket_notification_configuration(Bucket=watched.bucket)["QueueConfigurations"]
    assert sorted(one["Id"] for one in again) == ["another", ARRIVALS]


def by_eventbridge(desk: Desk, arn: str) -> dict[str, Any]:
    events = client_of("events", desk.engine.storage)
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
    events.put_rule(Name="arrivals", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="arrivals", Targets=[{"Id": "queue", "Arn": arn}])
    return {"EventBridgeConfiguration": {}}


def by_sns(desk: Desk, arn: str) -> dict[str, Any]:
    sns = client_of("sns", desk.engine.storage)
    topic = sns.create_topic(Name="arrivals")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}


@pytest.mark.parametrize("way", [by_eventbridge, by_sns])
def test_other_ways_of_s3_into_the_queue_do_as_well(watched: Desk, way: Callable[[Desk, str], dict[str, Any]]) -> None:
    s3, engine = watched.engine.s3, watched.engine
    (known,) = s3.get_bucket_notification_configuration(Bucket=watched.bucket)["QueueConfigurations"]
    s3.put_bucket_notification_configuration(
        Bucket=watched.bucket,
        NotificationConfiguration=way(watched, known["QueueArn"]),  # type: ignore[arg-type]
    )
    watched.put_at("in/a b+ü.csv", "1,2\n")

    (event,) = told(engine, ARRIVALS, ArrivalTrigger, lambda found: len(found) == 1)

    assert event["uri"] == f"s3://{watched.bucket}/in/a b+ü.csv"


def test_what_is_no_event_of_s3_is_in_the_dead_letter_queue_in_the_end(watched: Desk) -> None:
    engine = watched.engine
    send(engine, ARRIVALS, "no JSON")
    watched.put_at("late-payments/arrivals/a.csv", "1,2\n")

    found = told(engine, ARRIVALS, ArrivalTrigger, lambda found: len(found) == 1)
    assert found[0]["uri"].endswith("a.csv")
    dead: list[str] = []

    def is_dead(_: list[Any]) -> bool:
        dead.extend(received(engine, f"{ARRIVALS}-dead"))
        return bool(dead)

    # Others arrive, and the watch goes on, until it has come five times.
    for number in range(30):
        watched.put_at(f"late-payments/arrivals/{number}.csv", "1,2\n")
        told(engine, ARRIVALS, ArrivalTrigger, lambda found: len(found) >= 1)
        if is_dead([]):
            break
        asyncio.run(asyncio.sleep(SOON / 4))
    assert dead == ["no JSON"]


def test_jobs_that_something_else_than_airflow_started_are_told_of_when_they_end(watched: Desk) -> None:
    watched.put(**{"in/a.csv": "1,2\n"})
    model = watched.model(watched.models.url("echo"))
    of_airflow = watched.run(model, Tags=[{"Key": "batchtx:dag_id", "Value": "churn"}])["TransformJobName"]
    failed = watched.run(watched.model(watched.models.url("broken")), ModelClientConfig={"InvocationsMaxRetries": 0})
    whole = watched.run(model, Tags=[{"Key": "team", "Value": "risk"}])

    found = told(watched.engine, JOB_ENDS, JobEndTrigger, lambda found: len(found) == 2)

    by_name = {event["job_name"]: event for event in found}
    assert set(by_name) == {failed["TransformJobName"], whole["TransformJobName"]}
    assert of_airflow not in by_name
    end = by_name[whole["TransformJobName"]]
    assert (end["status"], end["job_arn"], end["tags"]) == ("Completed", whole["TransformJobArn"], {"team": "risk"})
    assert by_name[failed["TransformJobName"]]["reason"] == failed["FailureReason"]


def test_a_queue_that_is_not_there_is_refused_and_found_once_it_is(engine: Engine) -> None:
    name = f"late-{uuid4().hex[:8]}"
    queue = Queue(sqs(engine), name)
    with pytest.raises(QueueRefused, match=name):
        queue.receive(0)

    url = sqs(engine).create_queue(QueueName=name)["QueueUrl"]
    sqs(engine).send_message(QueueUrl=url, MessageBody="hello")
    (message,) = queue.receive(0)
    assert (message.body, message.received) == ("hello", 1)

    by_url = Queue(sqs(engine), url)
    assert by_url.delete([message.receipt]) == 0
    sqs(engine).delete_queue(QueueUrl=url)
    with pytest.raises(QueueRefused):
        by_url.receive(0)


def test_many_messages_are_deleted_in_as_many_calls_as_it_takes(engine: Engine) -> None:
    name = f"many-{uuid4().hex[:8]}"
    url = sqs(engine).create_queue(QueueName=name)["QueueUrl"]
    for number in range(23):
        sqs(engine).send_message(QueueUrl=url, MessageBody=json.dumps({"number": number}))
    queue = Queue(sqs(engine), name)
    messages = [message for _ in range(3) for message in queue.receive(0)]
    assert len(messages) == 23

    assert queue.delete([message.receipt for message in messages]) == 0
    assert waiting(engine, name) == 0
