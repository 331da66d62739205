"""The queues that `batchtx ui` makes, on a real engine: what reaches them, and that they are the page's."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from airflow_batchtx.cli.ui.queues import ARRIVALS, FOLDER, JOB_ENDS, Clients, make_queues
from airflow_batchtx.events.arrivals import arrivals
from tests.engines import Desk, client_of
from tests.queues import empty_queues

QUEUES = (ARRIVALS, f"{ARRIVALS}-dead", JOB_ENDS, f"{JOB_ENDS}-dead")
# What a user may find otherwise: when it was made, how much is in it; and whom AWS lets send, which no engine asks.
OF_ITS_OWN = {"CreatedTimestamp", "LastModifiedTimestamp", "Policy"}


@pytest.fixture
def clients(desk: Desk) -> Clients:
    return Clients(*(client_of(service, desk.engine.storage) for service in ("s3", "sqs", "events")))


@pytest.fixture
def bucket(clients: Clients) -> str:
    name = f"bucket-{uuid4().hex[:12]}"
    clients.s3.create_bucket(Bucket=name)
    return name


def made(clients: Clients, bucket: str) -> dict[str, Any]:
    """All that is there: queues, what the bucket tells of, and the rule."""
    urls = {name: clients.sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in QUEUES}
    attributes = {
        name: clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for name, url in urls.items()
    }
    return {
        "notifications": clients.s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"],
        "pattern": json.loads(clients.events.describe_rule(Name=JOB_ENDS)["EventPattern"]),
        "targets": clients.events.list_targets_by_rule(Rule=JOB_ENDS)["Targets"],
        **{
            name: {key: value for key, value in found.items() if key not in OF_ITS_OWN and "Messages" not in key}
            for name, found in attributes.items()
        },
    }


def test_they_are_those_of_the_page(clients: Clients, desk: Desk, bucket: str) -> None:
    empty_queues(desk.engine, bucket)
    shown = made(clients, bucket)
    for name in QUEUES:
        clients.sqs.delete_queue(QueueUrl=clients.sqs.get_queue_url(QueueName=name)["QueueUrl"])
    clients.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    clients.events.put_rule(Name=JOB_ENDS, EventPattern='{"source": ["nobody"]}')

    make_queues(clients, bucket)

    assert made(clients, bucket) == shown


def test_what_arrives_is_told_and_making_them_again_changes_nothing(clients: Clients, bucket: str) -> None:
    for _ in range(2):
        make_queues(clients, bucket)

    for key in (f"{FOLDER}new.csv", f"{FOLDER}new.txt", "elsewhere/new.csv"):
        clients.s3.put_object(Bucket=bucket, Key=key, Body=b"1\n")

    url = clients.sqs.get_queue_url(QueueName=ARRIVALS)["QueueUrl"]
    told = clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    found = [one.uri for message in told for one in arrivals(json.loads(message["Body"]))]
    assert [uri for uri in found if bucket in uri] == [f"s3://{bucket}/{FOLDER}new.csv"]
