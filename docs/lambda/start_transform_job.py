"""AWS Lambda: start a transform job for every object that arrives in S3, without Airflow.

The job's name is made of the object's write, and SageMaker gives each name once: who is told twice of an object finds
the job that there is. boto3, which Lambda has, is all that is needed; docs/events.md says what goes into the function,
how it is configured and what may invoke it.

Environment: REQUEST, a CreateTransformJob request as JSON, whose TransformJobName begins the names of jobs and in
which the input's DataSource is left out. Outputs of each job come in a folder of its name below S3OutputPath.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from airflow_batchtx.events.arrivals import Arrival
from airflow_batchtx.events.delivery import delivered

log = logging.getLogger()
log.setLevel(logging.INFO)

# What SageMaker takes; the rest of a name is what tells one write of an object from another.
LONGEST_NAME, DIGITS = 63, 24
# Where it is told which object is the input: a prefix would send `a.csv.bak` with `a.csv`.
MANIFESTS = "_batchtx/lambda"


def handler(event: Mapping[str, Any], _context: object = None) -> dict[str, Any]:
    """Handle an event of S3, of EventBridge, or of a queue of either."""
    return delivered(event, start)


def start(arrival: Arrival) -> None:
    """Start the job of an object, unless there is one already."""
    request = request_for(arrival, json.loads(os.environ["REQUEST"]))
    name = request["TransformJobName"]
    put_manifest(arrival, request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
    try:
        client("sagemaker").create_transform_job(**request)
    except (ClientError, BotoCoreError):
        # Whatever went wrong, perhaps with the answer alone: a job of this name is this object's.
        if (status := status_of(name)) is None:
            raise
        log.info("%s for %s was started before: it is %s", name, arrival.uri, status)
    else:
        log.info("%s is started for %s", name, arrival.uri)


def request_for(arrival: Arrival, known: Mapping[str, Any]) -> dict[str, Any]:
    """Give the request for the job of an object."""
    stem = re.sub(r"[^a-zA-Z0-9]+", "-", known.get("TransformJobName") or known["ModelName"]).strip("-")
    name = f"{stem[: LONGEST_NAME - DIGITS - 1].rstrip('-') or 'job'}-{arrival.id[:DIGITS]}"
    output = known["TransformOutput"]["S3OutputPath"].rstrip("/")
    manifest = f"s3://{output.split('/')[2]}/{MANIFESTS}/{name}.json"
    source = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": manifest}}
    return {
        **known,
        "TransformJobName": name,
        "TransformInput": {**known.get("TransformInput", {}), "DataSource": source},
        "TransformOutput": {**known["TransformOutput"], "S3OutputPath": f"{output}/{name}/"},
    }


def put_manifest(arrival: Arrival, manifest: str) -> None:
    """Write which object is the input; the same bytes however often."""
    folder, slash, key = arrival.key.rpartition("/")
    bucket, _, place = manifest.removeprefix("s3://").partition("/")
    body = json.dumps([{"prefix": f"s3://{arrival.bucket}/{folder}{slash}"}, key])
    client("s3").put_object(Bucket=bucket, Key=place, Body=body.encode())


def status_of(name: str) -> str | None:
    """Give the status of a job; None where there is none, or nobody can tell."""
    try:
        return str(client("sagemaker").describe_transform_job(TransformJobName=name)["TransformJobStatus"])
    except (ClientError, BotoCoreError):
        return None


@functools.cache
def client(service: str) -> Any:
    """Make a client, once for as long as this process lives."""
    return boto3.client(service)
