"""What a Lambda function makes of what it is invoked with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_batchtx.events.arrivals import Arrival
from airflow_batchtx.events.delivery import delivered
from tests.unit.events.test_arrivals import EVENT, NOTIFICATION, TEST, from_sns, notified


class Refused(Exception):
    pass


class Worker:
    """Notes the keys of what it was given, and fails for those that it is told to."""

    def __init__(self, *fails: str) -> None:
        self.fails = fails
        self.done: list[str] = []

    def __call__(self, arrival: Arrival) -> None:
        if arrival.key in self.fails:
            raise Refused(arrival.key)
        self.done.append(arrival.key)


def queued(*bodies: Any) -> dict[str, Any]:
    """An invocation by a queue, whose messages are m0, m1, ..."""
    records = [
        {
            "messageId": f"m{number}",
            "eventSource": "aws:sqs",
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def failures(answer: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


@pytest.mark.parametrize("event", [{"Records": [NOTIFICATION]}, EVENT])
def test_s3_and_eventbridge_invoke_it_themselves(event: dict[str, Any]) -> None:
    worker = Worker()

    assert delivered(event, worker) == {"batchItemFailures": []}
    assert worker.done == ["in/day=1/a bü.csv"]


def test_what_fails_of_an_event_is_raised_once_all_was_tried() -> None:
    worker = Worker("a.csv")
    records = [notified(key=key)["Records"][0] for key in ("a.csv", "b.csv")]

    with pytest.raises(Refused):
        delivered({"Records": records}, worker)

    assert worker.done == ["b.csv"]


def test_no_event_of_s3_is_refused() -> None:
    with pytest.raises(ValueError, match="no event of S3"):
        delivered({"source": "aws.events"}, Worker())


def test_of_a_batch_only_what_failed_comes_again() -> None:
    worker = Worker("b.csv")
    two = {"Records": [notified(key=key)["Records"][0] for key in ("b.csv", "c.csv")]}

    answer = delivered(queued(notified(key="a.csv"), two, TEST, "no JSON", from_sns(EVENT), {"Records": []}), worker)

    assert failures(answer) == ["m1", "m3", "m5"]
    assert worker.done == ["a.csv", "c.csv", "in/day=1/a bü.csv"]
