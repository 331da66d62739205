"""Faults, quotas and throttling as the users of an engine meet them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_batchtx.engine.faults import Interference
from airflow_batchtx.errors import ModelFailed
from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.spec.uri import S3Uri
from tests.engines import Desk, Engine, Models, running_engine
from tests.integration.engine.test_life import eventually, failing, own_desk
from tests.integration.engine.test_running import CSV

NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)


def faults(**wanted: Any) -> dict[str, Any]:
    return {"Environment": {"BATCHTX_FAULTS": json.dumps(wanted)}}


@pytest.fixture
def echo(desk: Desk) -> str:
    desk.put_at("in/a.csv", b"1\n2\n3\n4\n")
    return desk.model(desk.models.url("echo"))


def test_provisioning_takes_its_time_and_can_be_stopped(desk: Desk, echo: str) -> None:
    waiting, late = (
        desk.start(echo, **faults(provisioning_seconds=30)),
        desk.run(echo, **faults(provisioning_seconds=1)),
    )
    described = desk.client.describe_transform_job(TransformJobName=waiting)
    desk.client.stop_transform_job(TransformJobName=waiting)

    assert (late["TransformStartTime"] - late["CreationTime"]).total_seconds() >= 1
    assert late["TransformJobStatus"] == "Completed"
    assert described["TransformJobStatus"] == "InProgress"
    assert "TransformStartTime" not in described
    assert desk.ended(waiting)["TransformJobStatus"] == "Stopped"


def test_a_transform_takes_its_time_whatever_becomes_of_it_and_can_be_stopped(desk: Desk, echo: str) -> None:
    long, short = faults(transform_seconds=30), faults(transform_seconds=1)
    stopped, completed, failed = (
        desk.start(model, **asked)
        for model, asked in ((echo, long), (echo, short), (desk.model(desk.models.url("broken")), short))
    )
    assert eventually(lambda: desk.keys("out/") == ["out/a.csv.out"])
    meanwhile = desk.client.describe_transform_job(TransformJobName=stopped)
    desk.client.stop_transform_job(TransformJobName=stopped)

    assert meanwhile["TransformJobStatus"] == "InProgress"
    assert desk.ended(stopped)["TransformJobStatus"] == "Stopped"
    for name, status in ((completed, "Completed"), (failed, "Failed")):
        job = desk.ended(name)
        assert job["TransformJobStatus"] == status
        assert (job["TransformEndTime"] - job["TransformStartTime"]).total_seconds() >= 1


def test_a_lack_of_capacity_fails_the_job_before_it_starts(desk: Desk, echo: str) -> None:
    lacking = faults(capacity_error=["ml.m5.large"])

    failed, other = desk.run(echo, **lacking), desk.run(echo, InstanceType="ml.m5.xlarge", **lacking)

    assert (failed["TransformJobStatus"], failed["FailureReason"]) == ("Failed", NO_CAPACITY)
    assert "TransformStartTime" not in failed
    assert other["TransformJobStatus"] == "Completed"


def test_calls_that_fail_now_and_then_are_made_again(desk: Desk, echo: str) -> None:
    job = desk.run(echo, **CSV, BatchStrategy="SingleRecord", **faults(fail_every=3, drop_every=4))

    assert job["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.csv.out") == b"1\n2\n3\n4\n"


def test_calls_that_fail_without_a_retry_fail_the_job(desk: Desk, echo: str) -> None:
    job = desk.run(echo, **faults(fail_every=1), ModelClientConfig={"InvocationsMaxRetries": 1})

    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    log = desk.data_log(job["TransformJobName"])
    assert "Bad HTTP status received from algorithm: 500" in log
    assert "BATCHTX_FAULTS: call 2 fails, as does every 1." in log


def test_the_container_gets_the_variable_as_it_would_on_aws(desk: Desk, echo: str) -> None:
    job = desk.run(echo, **faults(fail_every=5))

    assert job["Environment"] == {"BATCHTX_FAULTS": '{"fail_every": 5}'}


def test_faults_that_are_not_known_are_refused(desk: Desk, echo: str) -> None:
    with pytest.raises(ClientError) as refused:
        desk.start(echo, **faults(fail_every=-1, typo=True))

    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert refused.value.response["Error"]["Message"] == (
        "Environment BATCHTX_FAULTS: fail_every = -1: must be a whole number, 0 (never) or more. Correct it or leave it"
        " out. Environment BATCHTX_FAULTS: typo = True: is no fault. The faults are provisioning_seconds,"
        " transform_seconds, capacity_error, fail_every, drop_every."
    )


# ------------------------------------------------------------------------------------------- of the whole engine


@pytest.fixture(scope="module")
def hard_times(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Engine]:
    """An engine with a fault for all jobs, and with quotas."""
    options = (
        "--s3-endpoint-url", engine.storage, "--faults", '{"capacity_error": ["ml.c4.xlarge"]}',
        "--quota", "ml.m5.large=3", "--quota", "all=4",
    )  # fmt: skip
    with running_engine(tmp_path_factory.mktemp("hard"), *options) as hard:
        yield hard


@pytest.fixture
def hard_desk(hard_times: Engine, engine: Engine, models: Models) -> Desk:
    return own_desk(Engine(hard_times.url, engine.storage, hard_times.home, hard_times.process), models)


def refusal(desk: Desk, model: str, **members: Any) -> str:
    with pytest.raises(ClientError) as refused:
        desk.start(model, **members)
    error = refused.value.response["Error"]
    assert error["Code"] == "ResourceLimitExceeded"
    return str(error["Message"])


def test_quotas_count_what_runs(hard_desk: Desk) -> None:
    desk = hard_desk
    desk.models.release.clear()
    desk.put_at("in/a.csv", b"1\n")
    model = desk.model(desk.models.url("held"))

    running = desk.start(model, InstanceCount=2)
    first = refusal(desk, model, InstanceCount=2)
    other = desk.start(model, InstanceCount=1, InstanceType="ml.m5.xlarge")
    second = refusal(desk, model, InstanceCount=2, InstanceType="ml.c5.xlarge")
    desk.models.release.set()
    for name in (running, other):
        desk.ended(name)

    assert first.startswith(
        "The account-level service limit 'ml.m5.large for transform job usage' is 3 Instances, with current"
        " utilization of 2 Instances and a request delta of 2 Instances. Please use AWS Service Quotas"
    )
    assert "'Number of instances across all transform jobs' is 4 Instances, with current utilization of 3" in second
    assert desk.run(model, InstanceCount=3)["TransformJobStatus"] == "Completed"


def test_an_engine_has_faults_for_all_jobs(hard_desk: Desk) -> None:
    hard_desk.put_at("in/a.csv", b"1\n")

    job = hard_desk.run(hard_desk.model(hard_desk.models.url("echo")), InstanceType="ml.c4.xlarge")

    assert job["FailureReason"] == NO_CAPACITY


def test_more_calls_than_the_throttle_lets_through_are_counted_with_the_rest(tmp_path: Path, engine: Engine) -> None:
    with running_engine(tmp_path, "--s3-endpoint-url", engine.storage, "--throttle", "0.001:3") as throttled:
        client = throttled.sagemaker()

        def outcome() -> str:
            try:
                client.list_models()
            except ClientError as error:
                return "{Code}: {Message}".format(**error.response["Error"])
            return "passed"

        outcomes = [outcome() for _ in range(5)]
        throttled.sagemaker("eu-west-1").list_models()
        client.list_transform_jobs()
        counted = throttled.calls()

    assert outcomes == ["passed"] * 3 + ["ThrottlingException: Rate exceeded"] * 2
    assert counted == {"eu-west-1": {"ListModels": 1}, "us-east-1": {"ListModels": 5, "ListTransformJobs": 1}}


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--faults", '{"fail_evry": 1}', "fail_evry = 1: is no fault"),
        ("--quota", "m5.large=2", "write a quota as ml.m5.large=2"),
        ("--throttle", "fast", "write a throttle as calls a second"),
    ],
)
def test_an_engine_does_not_start_with_conditions_that_it_does_not_know(
    option: str, text: str, said: str, tmp_path: Path
) -> None:
    assert said in failing("--home", str(tmp_path), option, text)


# ------------------------------------------------------------------------------------------------- invocations


class Container(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    calls: list[str]

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.calls.append(body.decode())
        self.answer(body)

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def container() -> Iterator[tuple[str, list[str]]]:
    calls: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Container,), {"calls": calls}))
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", calls
    server.shutdown()
    server.server_close()


def told(url: str, retries: int, **plan: int) -> Mapping[str, str]:
    """Send records 1 to 6 one after the other; what became of each."""
    client = ModelClient(url, retries=retries, connect=Interference(**plan).links())
    client.ping(deadline=0)

    def sent(record: str) -> str:
        try:
            answer = client.invoke(record.encode(), content_type=None, accept=None, source_object=S3Uri("b", "k"))
        except ModelFailed as error:
            return f"{error.status} {error.detail} {error.body}"
        return answer.decode()

    return {record: sent(record) for record in "123456"}


def test_every_nth_call_is_answered_with_500_without_the_container(container: tuple[str, list[str]]) -> None:
    url, calls = container

    found = told(url, 0, fail_every=3)

    assert [record for record, what in found.items() if what == record] == ["1", "2", "4", "5"]
    assert found["3"] == (
        "500 Bad HTTP status received from algorithm: 500 BATCHTX_FAULTS: call 3 fails, as does every 3."
    )
    assert calls == ["1", "2", "4", "5"]


def test_every_nth_answer_is_lost_though_the_container_gave_it(container: tuple[str, list[str]]) -> None:
    url, calls = container

    found = told(url, 0, drop_every=4)

    assert [record for record, what in found.items() if what != record] == ["4"]
    assert "Unable to get response from algorithm" in found["4"]
    assert calls == list("123456")


def test_a_retry_is_a_call_of_its_own(container: tuple[str, list[str]]) -> None:
    url, calls = container

    found = told(url, 2, fail_every=3, drop_every=7)

    assert found == {record: record for record in "123456"}
    # Calls 3, 6 and 9 failed before the container saw them, the answer to call 7 was lost.
    assert calls == ["1", "2", "3", "4", "5", "5", "6"]


def test_without_faults_connections_are_the_usual_ones() -> None:
    assert Interference().links().__name__ == "Connection"
