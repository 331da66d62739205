"""A SageMaker client in memory whose jobs live as a test says, and the same over HTTP."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

from airflow_batchtx.hooks.batch_transform import BatchTransformHook

CREATED = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)
REQUEST: Mapping[str, Any] = {
    "ModelName": "churn",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}}},
    "TransformOutput": {"S3OutputPath": "s3://b/out/"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
}
FINAL = ("Completed", "Failed", "Stopped")


def refusal(operation: str, code: str, message: str = "no", status: int = 400) -> ClientError:
    """What boto3 raises for an answer of SageMaker."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)  # type: ignore[arg-type]


class FakeSageMaker:
    """Serves create, describe, list and stop. A job goes one step of `life` further with each Describe, and stays at
    the last; `lives_of` gives those of a model's jobs. `reason` is the FailureReason of those that Fail."""

    def __init__(self, life: Sequence[str] = ("InProgress", "Completed"), reason: str = "") -> None:
        self.life, self.reason = life, reason
        self.jobs: dict[str, dict[str, Any]] = {}
        self.lives: dict[str, list[str]] = {}
        self.lives_of: dict[str, Sequence[str]] = {}
        self.calls: list[tuple[str, str]] = []
        self.trouble: dict[str, list[Exception]] = defaultdict(list)

    def add(self, name: str, life: Sequence[str], request: Mapping[str, Any] = REQUEST) -> None:
        """Let a job exist."""
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:transform-job/{name.lower()}"
        self.jobs[name] = {**request, "TransformJobName": name, "TransformJobArn": arn, "CreationTime": CREATED}
        self.lives[name] = list(life)

    def names(self, operation: str) -> list[str]:
        """The jobs that an operation was called for, in order."""
        return [name for called, name in self.calls if called == operation]

    def create_transform_job(self, **request: Any) -> dict[str, Any]:
        name = self._called("CreateTransformJob", request)
        if name in self.jobs:
            raise refusal("CreateTransformJob", "ResourceInUse", "Job name must be unique within an AWS account")
        self.add(name, self.lives_of.get(request["ModelName"], self.life), request)
        return {"TransformJobArn": self.jobs[name]["TransformJobArn"]}

    def describe_transform_job(self, **request: Any) -> dict[str, Any]:
        name = self._called("DescribeTransformJob", request)
        if name not in self.jobs:
            text = f"Could not find requested job with name: {name}"
            raise refusal("DescribeTransformJob", "ValidationException", text)
        life = self.lives[name]
        status = life.pop(0) if len(life) > 1 else life[0]
        job = {**self.jobs[name], "TransformJobStatus": status}
        if status in FINAL:
            created = job["CreationTime"]
            job |= {
                "TransformStartTime": created + timedelta(minutes=3),
                "TransformEndTime": created + timedelta(minutes=5),
            }
        return job | ({"FailureReason": self.reason} if status == "Failed" else {})

    def list_transform_jobs(self, **request: Any) -> dict[str, Any]:
        """Tell of jobs without a step in their lives, newest first."""
        self._called("ListTransformJobs", {"TransformJobName": request.get("NameContains", "")})
        start, after = int(request.get("NextToken", "0")), request.get("CreationTimeAfter")
        jobs = sorted(self.jobs.values(), key=lambda job: job["CreationTime"], reverse=True)
        found = [
            self._summary(job)
            for job in jobs
            if request.get("NameContains", "") in job["TransformJobName"]
            and (after is None or job["CreationTime"] > after)
            and request.get("StatusEquals") in {None, self.lives[job["TransformJobName"]][0]}
        ]
        end = start + request.get("MaxResults", 10)
        following = {"NextToken": str(end)} if end < len(found) else {}
        return {"TransformJobSummaries": found[start:end], **following}

    def _summary(self, job: Mapping[str, Any]) -> dict[str, Any]:
        status = self.lives[job["TransformJobName"]][0]
        told = {name: job[name] for name in ("TransformJobName", "TransformJobArn", "CreationTime")}
        told |= {"TransformJobStatus": status, "LastModifiedTime": job["CreationTime"]}
        return told | ({"FailureReason": self.reason} if status == "Failed" else {})

    def stop_transform_job(self, **request: Any) -> dict[str, Any]:
        name = self._called("StopTransformJob", request)
        if name not in self.jobs:
            text = f"Could not find job to update with name {name}"
            raise refusal("StopTransformJob", "ValidationException", text)
        if (status := self.lives[name][0]) != "InProgress":
            text = f"The request was rejected because the transform job is in status {status}"
            raise refusal("StopTransformJob", "ValidationException", text)
        self.lives[name] = ["Stopping", "Stopped"]
        return {}

    def _called(self, operation: str, request: Mapping[str, Any]) -> str:
        name: str = request["TransformJobName"]
        self.calls.append((operation, name))
        if self.trouble[operation]:
            raise self.trouble[operation].pop(0)
        return name


class FakeHook(BatchTransformHook):
    """The real hook on a client that is handed in."""

    def __init__(self, client: FakeSageMaker) -> None:
        super().__init__(aws_conn_id=None)
        self.conn = client


# What each operation is on a boto3 client, and so on a fake one.
OPERATIONS = {
    "CreateTransformJob": "create_transform_job",
    "DescribeModel": "describe_model",
    "DescribeTransformJob": "describe_transform_job",
    "ListTransformJobs": "list_transform_jobs",
    "StopTransformJob": "stop_transform_job",
}
TIMES = ("CreationTimeAfter",)


class AwsJson(BaseHTTPRequestHandler):
    """AWS JSON 1.1, as much of it as boto3 needs; operations that the fake lacks fail."""

    protocol_version = "HTTP/1.1"

    def __init__(self, sagemaker: FakeSageMaker, *args: Any) -> None:
        self.sagemaker = sagemaker
        super().__init__(*args)

    def do_POST(self) -> None:
        operation = getattr(self.sagemaker, OPERATIONS[self.headers["X-Amz-Target"].partition(".")[2]])
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for name in request.keys() & TIMES:
            request[name] = datetime.fromtimestamp(request[name], timezone.utc)
        try:
            status, answer = 200, operation(**request)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            answer = {"__type": error.response["Error"]["Code"], "Message": error.response["Error"]["Message"]}
        body = json.dumps(answer, default=datetime.timestamp).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep silent."""


@contextmanager
def served(sagemaker: FakeSageMaker) -> Iterator[str]:
    """Serve it on a free port of this machine; gives the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(AwsJson, sagemaker)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
