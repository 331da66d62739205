"""Logs, metrics and events of real jobs, read back with boto3."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from tests.engines import Desk, Engine, Models, client_of, running_engine
from tests.integration.engine.test_life import LOST, began, eventually, own_desk
from tests.integration.engine.test_running import HANDLER, archive

GROUP = "/aws/sagemaker/TransformJobs"
INSTANCE = r"i-[0-9a-f]{17}-\d{10}"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}:\[sagemaker logs\]: "
PRINTING = HANDLER.replace("greeting =", "print('model: loading', flush=True)\n    greeting =")


def logs_of(engine: Engine, job: str, region: str = "us-east-1") -> dict[str, list[str]]:
    """Read all streams of a job, as CloudWatch has them."""
    client = client_of("logs", engine.storage, region)
    streams = client.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{job}/")["logStreams"]
    names = [stream["logStreamName"] for stream in streams]
    return {
        name: [
            event["message"]
            for event in client.get_log_events(logGroupName=GROUP, logStreamName=name, startFromHead=True)["events"]
        ]
        for name in names
    }


def data_log_of(engine: Engine, job: str) -> list[str]:
    (lines,) = (lines for name, lines in logs_of(engine, job).items() if name.endswith("/data-log"))
    assert all(re.match(STAMP, line) for line in lines)
    return [re.sub(STAMP, "", line) for line in lines]


def test_streams_are_there_with_all_lines_when_the_job_has_ended(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("in/b.csv", b"2\n")
    desk.put_at("model.tar.gz", archive(code__inference=PRINTING))

    job = desk.run(desk.model("image", ModelDataUrl=f"s3://{desk.bucket}/model.tar.gz"), InstanceCount=2)

    name = job["TransformJobName"]
    found = logs_of(desk.engine, name)
    printed = {stream: lines for stream, lines in found.items() if re.fullmatch(f"{name}/{INSTANCE}", stream)}
    data = {stream: lines for stream, lines in found.items() if re.fullmatch(f"{name}/{INSTANCE}/data-log", stream)}
    assert (len(printed), len(data), len(found)) == (2, 2, 4)
    assert all("model: loading" in lines for lines in printed.values())
    for lines in data.values():
        assert re.fullmatch(STAMP + "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD", lines[0])


def test_what_a_refused_object_leaves_in_the_data_log(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"bad\n")

    job = desk.run(desk.model(desk.models.url("refusing", {"MaxConcurrentTransforms": 4})))

    assert data_log_of(desk.engine, job["TransformJobName"]) == [
        "MaxConcurrentTransforms=4, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        f"{desk.bucket}/in/a.csv: ClientError: 400",
        f"{desk.bucket}/in/a.csv:",
        f"{desk.bucket}/in/a.csv: Message:",
        f"{desk.bucket}/in/a.csv: cannot read",
        f"{desk.bucket}/in/a.csv: this",
    ]


def test_what_a_broken_model_and_a_silent_one_leave_in_the_data_log(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    client = {"InvocationsMaxRetries": 0, "InvocationsTimeoutInSeconds": 1}
    desk.models.release.clear()

    broken = desk.run(desk.model(desk.models.url("broken")), ModelClientConfig=client)
    silent = desk.run(desk.model(desk.models.url("held")), ModelClientConfig=client)

    source = f"{desk.bucket}/in/a.csv"
    assert f"{source}: Bad HTTP status received from algorithm: 500" in data_log_of(
        desk.engine, broken["TransformJobName"]
    )
    assert any(
        line.endswith("Model server did not respond to /invocations request within 1 seconds")
        for line in data_log_of(desk.engine, silent["TransformJobName"])
    )


def test_a_running_job_can_be_followed(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    slow = PRINTING.replace("greeting =", "import time; time.sleep(60)\n    greeting =")
    desk.put_at("model.tar.gz", archive(code__inference=slow))
    name = desk.start(desk.model("image", ModelDataUrl=f"s3://{desk.bucket}/model.tar.gz"))

    def followed() -> bool:
        try:
            return any("model: loading" in lines for lines in logs_of(desk.engine, name).values())
        except client_of("logs", desk.engine.storage).exceptions.ResourceNotFoundException:
            return False  # no job of this engine has logged anything yet

    assert eventually(followed)
    assert desk.client.describe_transform_job(TransformJobName=name)["TransformJobStatus"] == "InProgress"
    desk.client.stop_transform_job(TransformJobName=name)
    desk.ended(name)


def test_every_instance_has_its_cpu_and_memory(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("in/b.csv", b"2\n")
    desk.put_at("model.tar.gz", archive(code__inference=HANDLER))

    job = desk.run(desk.model("image", ModelDataUrl=f"s3://{desk.bucket}/model.tar.gz"), InstanceCount=2)

    client = client_of("cloudwatch", desk.engine.storage)
    name = job["TransformJobName"]
    metrics = [
        metric
        for metric in client.list_metrics(Namespace=GROUP)["Metrics"]
        if metric["Dimensions"][0]["Value"].startswith(f"{name}/i-")
    ]
    instances = {stream.split("/")[1].rpartition("-")[0] for stream in logs_of(desk.engine, name)}
    hosts = {f"{name}/{instance}" for instance in instances}
    assert {(metric["MetricName"], metric["Dimensions"][0]["Value"]) for metric in metrics} == {
        (metric, host) for metric in ("CPUUtilization", "MemoryUtilization") for host in hosts
    }
    now = datetime.now(timezone.utc)
    for metric in metrics:
        (point,) = client.get_metric_statistics(
            Namespace=GROUP,
            MetricName=metric["MetricName"],
            Dimensions=metric["Dimensions"],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Maximum", "SampleCount"],
        )["Datapoints"]
        most = 100 if metric["MetricName"] == "MemoryUtilization" else 100 * (os.cpu_count() or 1) * 1.5
        assert 0 < point["Maximum"] <= most
        assert (point["SampleCount"], point["Unit"]) == (1, "Percent")


# ------------------------------------------------------------------------------------------------------ events


def events_into_a_queue(engine: Engine) -> Callable[[], list[dict[str, Any]]]:
    """Let events of transform jobs arrive in an SQS queue; what it gives reads what has come."""
    sqs, events = client_of("sqs", engine.storage), client_of("events", engine.storage)
    name = f"events-{uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Transform Job State Change"]}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    come: list[dict[str, Any]] = []

    def read() -> list[dict[str, Any]]:
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                come.append(json.loads(message["Body"]))
        return come

    return read


def statuses(events: list[dict[str, Any]], job: str) -> list[str]:
    return [event["detail"]["TransformJobStatus"] for event in events if event["detail"]["TransformJobName"] == job]


def test_a_job_tells_every_change_of_its_status(desk: Desk) -> None:
    come = events_into_a_queue(desk.engine)
    desk.put_at("in/a.csv", b"1\n")

    job = desk.run(desk.model(desk.models.url("echo")), Tags=[{"Key": "team", "Value": "a"}], Environment={"A": "b"})
    name = job["TransformJobName"]
    failed = desk.run(desk.model(desk.models.url("broken")), ModelClientConfig={"InvocationsMaxRetries": 0})
    stopped = began(desk)
    desk.client.stop_transform_job(TransformJobName=stopped)
    desk.ended(stopped)

    assert eventually(lambda: len(come()) >= 7)
    assert statuses(come(), name) == ["InProgress", "Completed"]
    assert statuses(come(), failed["TransformJobName"]) == ["InProgress", "Failed"]
    assert statuses(come(), stopped) == ["InProgress", "Stopping", "Stopped"]
    event = next(event for event in come() if event["detail"]["TransformJobStatus"] == "Completed")
    assert (event["source"], event["region"], event["resources"]) == (
        "aws.sagemaker",
        "us-east-1",
        [job["TransformJobArn"]],
    )
    detail = event["detail"]
    assert (detail["Tags"], detail["Environment"], detail["FailureReason"]) == ({"team": "a"}, {"A": "b"}, None)
    for member in ("CreationTime", "TransformStartTime", "TransformEndTime"):
        assert detail[member] == round(job[member].timestamp() * 1000)


def test_jobs_of_an_engine_that_was_killed_tell_their_end(models: Models, tmp_path: Path, engine: Engine) -> None:
    come = events_into_a_queue(engine)
    shared = ("--s3-endpoint-url", engine.storage)
    with running_engine(tmp_path, *shared) as killed:
        running, stopping = (began(own_desk(killed, models)) for _ in range(2))
        assert eventually(lambda: len(logs_of(engine, running)) == 4)
        killed.sagemaker().stop_transform_job(TransformJobName=stopping)
        killed.process.kill()
    with running_engine(tmp_path, *shared):
        assert eventually(lambda: {"Failed", "Stopped"} <= {*statuses(come(), running), *statuses(come(), stopping)})

    (end,) = (event["detail"] for event in come() if event["detail"]["TransformJobStatus"] == "Failed")
    assert (end["TransformJobName"], end["FailureReason"]) == (running, LOST)
    assert end["TransformEndTime"]


def test_an_engine_that_ends_tells_so_of_its_jobs(models: Models, tmp_path: Path, engine: Engine) -> None:
    come = events_into_a_queue(engine)
    with running_engine(tmp_path, "--s3-endpoint-url", engine.storage) as ending:
        name = began(own_desk(ending, models))

    assert eventually(lambda: statuses(come(), name) == ["InProgress", "Failed"])


# -------------------------------------------------------------------------------------- endpoints without services


REFUSAL = b"<?xml version='1.0'?><Error><Code>MethodNotAllowed</Code><Message>no</Message></Error>"


@contextmanager
def bare_endpoint(status: int = 405, body: bytes = REFUSAL) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer to whatever is posted to it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.headers.get("X-Amz-Target") or self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body"), [(405, REFUSAL), (404, b""), (501, b"<html>"), (400, REFUSAL)], ids=["405", "404", "501", "400"]
)
def test_jobs_run_where_there_are_no_such_services(
    status: int, body: bytes, models: Models, tmp_path: Path, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        bare_endpoint(status, body) as (url, asked),
        running_engine(tmp_path, "--s3-endpoint-url", engine.storage, "--aws-endpoint-url", url) as alone,
    ):
        desk = own_desk(Engine(alone.url, engine.storage, tmp_path, alone.process), models)
        desk.put_at("in/a.csv", b"1\n")
        model = desk.model(models.url("echo"))
        ended = [desk.run(model)["TransformJobStatus"] for _ in range(3)]

    assert ended == ["Completed"] * 3
    # Each service is asked once.
    assert len(asked) == 3
    assert capfd.readouterr().err.count("not delivered") == 3


@pytest.mark.parametrize("what", ["nothing", "a web page", "no URL"])
def test_jobs_run_whatever_answers(what: str, models: Models, tmp_path: Path, engine: Engine) -> None:
    with ExitStack() as stack:
        url, _ = stack.enter_context(bare_endpoint(200, b"<html><body>Welcome</body></html>"))
        if what == "nothing":
            stack.close()
        options = ("--s3-endpoint-url", engine.storage, "--aws-endpoint-url", "nowhere" if what == "no URL" else url)
        alone = stack.enter_context(running_engine(tmp_path, *options))
        desk = own_desk(Engine(alone.url, engine.storage, tmp_path, alone.process), models)
        desk.put_at("in/a.csv", b"1\n")

        assert desk.run(desk.model(models.url("echo")))["TransformJobStatus"] == "Completed"


def test_logs_find_their_way_after_somebody_cleared_them(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    model = desk.model(desk.models.url("echo"))
    desk.run(model)
    client_of("logs", desk.engine.storage).delete_log_group(logGroupName=GROUP)

    job = desk.run(model)

    assert len(data_log_of(desk.engine, job["TransformJobName"])) == 1
