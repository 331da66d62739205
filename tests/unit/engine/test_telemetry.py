from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from airflow_batchtx.engine.outlet import REST_SECONDS
from airflow_batchtx.engine.registry import Job, Model
from airflow_batchtx.engine.telemetry import GROUP, Telemetry
from airflow_batchtx.engine.usage import Usage
from airflow_batchtx.spec.enums import JobStatus

REQUEST: dict[str, Any] = {}
JOB = Job(
    "eu-west-1", "Nightly", 0.0, REQUEST, Model("eu-west-1", "m", 0.0, {}), JobStatus.IN_PROGRESS, 0, 0, None, None
)


class Refused(Exception):
    """What a client's own exceptions are here."""


class Exceptions:
    ResourceNotFoundException = ResourceAlreadyExistsException = Refused


class Cloud:
    """Clients of every service: notes what they are told. They wait for `open`."""

    exceptions = Exceptions

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[tuple[str, str]] = []
        self.open, self.entered = threading.Event(), threading.Event()
        self.open.set()

    def client(self, service: str, region: str) -> Cloud:
        self.asked.append((service, region))
        return self

    def put_log_events(self, **said: Any) -> None:
        self.note("logs", said)

    def put_metric_data(self, **said: Any) -> None:
        self.note("metrics", said)

    def put_events(self, **said: Any) -> dict[str, Any]:
        self.note("events", said)
        return {"Entries": [{"EventId": "1"}]}

    def note(self, what: str, said: dict[str, Any]) -> None:
        self.entered.set()
        assert self.open.wait(10)
        self.told.append((what, said))

    def of(self, what: str) -> list[dict[str, Any]]:
        return [said for kind, said in self.told if kind == what]


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def telemetry(cloud: Cloud) -> Iterator[Telemetry]:
    with closing(Telemetry(cloud.client, lambda: 1585035682.833)) as telemetry:
        yield telemetry
        cloud.open.set()


@contextmanager
def busy(cloud: Cloud, telemetry: Telemetry) -> Iterator[None]:
    """Keep the service from answering."""
    cloud.open.clear()
    telemetry.happened("eu-west-1", {"Detail": "first"})
    assert cloud.entered.wait(10)
    yield
    cloud.open.set()


def test_logs_are_there_when_a_job_has_been_told_to_end(cloud: Cloud, telemetry: Telemetry, tmp_path: Path) -> None:
    (tmp_path / "i-1-2.log").write_text("one\ntwo")
    telemetry.begins(JOB, tmp_path)
    telemetry.ends(JOB)

    events = [event for said in cloud.of("logs") for event in said["logEvents"]]
    assert [event["message"] for event in events] == ["one", "two"]
    assert {event["timestamp"] for event in events} == {1585035682833}
    assert {(said["logGroupName"], said["logStreamName"]) for said in cloud.of("logs")} == {(GROUP, "Nightly/i-1-2")}
    assert ("logs", "eu-west-1") in cloud.asked


def test_a_job_that_has_ended_is_followed_no_more(cloud: Cloud, telemetry: Telemetry, tmp_path: Path) -> None:
    telemetry.begins(JOB, tmp_path)
    telemetry.ends(JOB)
    (tmp_path / "late.log").write_text("late\n")
    telemetry.ends(JOB)
    assert telemetry.flush()

    assert cloud.told == []


def test_metrics_name_the_host_without_the_time(cloud: Cloud, telemetry: Telemetry) -> None:
    telemetry.used(JOB, "i-0123456789abcdef0-1585035682", Usage(150.0, 12.5))
    assert telemetry.flush()

    (said,) = cloud.of("metrics")
    assert said["Namespace"] == GROUP
    assert [(one["MetricName"], one["Value"], one["Unit"]) for one in said["MetricData"]] == [
        ("CPUUtilization", 150.0, "Percent"),
        ("MemoryUtilization", 12.5, "Percent"),
    ]
    for one in said["MetricData"]:
        assert one["Dimensions"] == [{"Name": "Host", "Value": "Nightly/i-0123456789abcdef0"}]
        assert one["Timestamp"].isoformat() == "2020-03-24T07:41:22.833000+00:00"


def test_events_go_in_their_order_and_ten_at_a_time(cloud: Cloud, telemetry: Telemetry) -> None:
    with busy(cloud, telemetry):
        for number in range(25):
            telemetry.happened("eu-west-1", {"Detail": str(number)})
    assert telemetry.flush()

    batches = [[entry["Detail"] for entry in said["Entries"]] for said in cloud.of("events")]
    assert [detail for batch in batches for detail in batch] == ["first", *map(str, range(25))]
    assert max(map(len, batches)) == 10


def test_every_region_has_a_client_of_its_own(cloud: Cloud, telemetry: Telemetry) -> None:
    for region in ("eu-west-1", "us-east-1", "eu-west-1"):
        telemetry.happened(region, {"Detail": region})
    assert telemetry.flush()

    assert sorted(cloud.asked) == [("events", "eu-west-1"), ("events", "us-east-1")]


def test_nobody_waits_for_a_service_that_does_not_answer(cloud: Cloud, telemetry: Telemetry) -> None:
    with busy(cloud, telemetry):
        for number in range(20_000):
            telemetry.happened("eu-west-1", {"Detail": str(number)})
        assert not telemetry.flush(0.01)
    assert telemetry.flush()

    # What did not fit into the queue was dropped.
    assert sum(len(said["Entries"]) for said in cloud.of("events")) == 10_001


def test_an_endpoint_that_is_silent_is_asked_once_for_many_jobs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0)
        once = Config(connect_timeout=0.2, read_timeout=0.2, retries={"total_max_attempts": 1}, proxies={})
        session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b")
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        def client(service: str, region: str) -> Any:
            return session.client(service, region, endpoint_url=url, config=once)  # type: ignore[call-overload]

        (tmp_path / "i-1-2.log").write_text("one\n")
        with closing(Telemetry(client, lambda: 1585035682.833)) as telemetry:
            for number in range(5):
                job = replace(JOB, name=f"Nightly-{number}")
                telemetry.begins(job, tmp_path)
                telemetry.used(job, "i-1-2", Usage(1, 1))
                telemetry.happened("eu-west-1", {"Detail": "d"})
                telemetry.ends(job)
                assert telemetry.flush(30)

        assert len(list(accepted(silent))) == 1


class Pausing(Cloud):
    """Times out at its first call, and answers all others."""

    def __init__(self, first: Exception) -> None:
        super().__init__()
        self.first: Exception | None = first
        self.now = 0.0

    def note(self, what: str, said: dict[str, Any]) -> None:
        if self.first is not None:
            error, self.first = self.first, None
            raise error
        super().note(what, said)

    def telemetry(self) -> Telemetry:
        return Telemetry(self.client, lambda: 1585035682.833, elapsed=lambda: self.now, sleep=lambda _: None)


TIMED_OUT = ReadTimeoutError(endpoint_url="http://nowhere")


@pytest.mark.parametrize("first", ["logs", "metrics", "events"])
def test_what_came_while_an_endpoint_was_silent_is_delivered_when_it_answers(first: str, tmp_path: Path) -> None:
    cloud = Pausing(TIMED_OUT)
    with closing(cloud.telemetry()) as telemetry:
        tell: dict[str, Callable[[], None]] = {
            "logs": lambda: log_of(telemetry, "first", tmp_path / "first"),
            "metrics": lambda: telemetry.used(JOB, "i-1-2", Usage(1, 1)),
            "events": lambda: telemetry.happened("eu-west-1", {"Detail": "first"}),
        }
        tell[first]()
        assert telemetry.flush()
        for name in ("a", "b"):
            log_of(telemetry, name, tmp_path / name)
            telemetry.happened("eu-west-1", {"Detail": name})
        assert telemetry.flush()
        silent = list(cloud.told)
        cloud.now += REST_SECONDS
        log_of(telemetry, "c", tmp_path / "c")

    assert silent == []
    expected = {"first": first == "logs", "a": True, "b": True, "c": True}
    assert {said["logStreamName"]: len(said["logEvents"]) for said in cloud.of("logs")} == {
        f"{name}/i-1-2": 1 for name, told in expected.items() if told
    }
    told = [entry["Detail"] for said in cloud.of("events") for entry in said["Entries"]]
    assert told == [*(["first"] if first == "events" else []), "a", "b"]
    assert len(cloud.of("metrics")) == (first == "metrics")


def test_what_is_kept_for_a_silent_endpoint_is_bounded(tmp_path: Path) -> None:
    cloud = Pausing(TIMED_OUT)
    with closing(cloud.telemetry()) as telemetry:
        for number in range(1_010):
            log_of(telemetry, f"{number:04}", tmp_path / f"{number:04}")
        for number in range(25_000):
            telemetry.happened("eu-west-1", {"Detail": str(number)})
        assert telemetry.flush()
        cloud.now += REST_SECONDS
        assert telemetry.flush(30)
        assert telemetry.flush(30)

    streams = {said["logStreamName"] for said in cloud.of("logs")}
    assert (len(streams), min(streams)) == (1_001, "0009/i-1-2")
    assert 10_000 <= sum(len(said["Entries"]) for said in cloud.of("events")) <= 20_000


def log_of(telemetry: Telemetry, name: str, folder: Path) -> None:
    """Let a job print a line and end."""
    folder.mkdir()
    (folder / "i-1-2.log").write_text("one\n")
    job = replace(JOB, name=name)
    telemetry.begins(job, folder)
    telemetry.ends(job)


def accepted(server: socket.socket) -> Iterator[None]:
    """Take the connections that have come."""
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            yield
