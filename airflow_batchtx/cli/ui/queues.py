"""The queues of the examples that events start, and what sends to them, as docs/events.md has them made."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

ARRIVALS, JOB_ENDS = "batchtx-arrivals", "batchtx-job-ends"
FOLDER = "late-payments/arrivals/"

_TWO_WEEKS = str(14 * 24 * 3600)
_NOT_OF_AIRFLOW = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Transform Job State Change"],
    "detail": {
        "TransformJobStatus": ["Completed", "Failed", "Stopped"],
        "Tags": {"batchtx:dag_id": [{"exists": False}]},
    },
}


class Clients(NamedTuple):
    """boto3 clients, those of S3, SQS and EventBridge."""

    s3: Any
    sqs: Any
    events: Any


def make_queues(clients: Clients, bucket: str) -> None:
    """Have a queue told of what arrives in the bucket's folder, and one of jobs that end and are not Airflow's.

    For a bucket of an engine, that sends to nobody else: who may send is not asked there.
    """
    below = {"Name": "prefix", "Value": FOLDER}, {"Name": "suffix", "Value": ".csv"}
    arrivals = {
        "Id": ARRIVALS,
        "QueueArn": _queue(clients.sqs, ARRIVALS),
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [*below]}},
    }
    clients.s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [arrivals]}
    )
    clients.events.put_rule(Name=JOB_ENDS, EventPattern=json.dumps(_NOT_OF_AIRFLOW))
    target = {"Id": "queue", "Arn": _queue(clients.sqs, JOB_ENDS)}
    clients.events.put_targets(Rule=JOB_ENDS, Targets=[target])


def _queue(sqs: Any, name: str) -> str:
    """Make a queue, and beside it one for what nobody understands; give its ARN."""
    dead = _made(sqs, f"{name}-dead", {})
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 5})
    return _made(sqs, name, {"VisibilityTimeout": "120", "RedrivePolicy": redrive})


def _made(sqs: Any, name: str, attributes: dict[str, str]) -> str:
    kept = {"MessageRetentionPeriod": _TWO_WEEKS, **attributes}
    url = sqs.create_queue(QueueName=name, Attributes=kept)["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
