"""Create, describe, stop and wait, against a client that is handed in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import pytest
from botocore.exceptions import EndpointConnectionError

from airflow_batchtx.errors import (
    JobNameTaken,
    JobNotFound,
    JobRefused,
    JobTimedOut,
    QuotaExceeded,
    ServiceUnavailable,
)
from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from tests.fake_sagemaker import CREATED, REQUEST, FakeHook, FakeSageMaker, refusal

JOB = {**REQUEST, "TransformJobName": "nightly"}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = CREATED.timestamp()
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def test_create_gives_the_arn_and_sends_the_request_as_it_stands() -> None:
    fake = FakeSageMaker()

    arn = FakeHook(fake).create(JOB)

    assert arn.endswith(":transform-job/nightly")
    assert {key: fake.jobs["nightly"][key] for key in JOB} == JOB


def test_create_says_that_a_name_is_taken() -> None:
    fake = FakeSageMaker()
    fake.add("nightly", ["Completed"])

    with pytest.raises(JobNameTaken):
        FakeHook(fake).create(JOB)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ResourceLimitExceeded", QuotaExceeded),
        ("ValidationException", JobRefused),
        ("ThrottlingException", ServiceUnavailable),
    ],
)
def test_create_passes_refusals_on_typed(code: str, kind: type[Exception]) -> None:
    fake = FakeSageMaker()
    fake.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", code)]

    with pytest.raises(kind):
        FakeHook(fake).create(JOB)


def test_describe_a_job_that_does_not_exist() -> None:
    with pytest.raises(JobNotFound):
        FakeHook(FakeSageMaker()).describe("nightly")


def test_a_look_that_fails_is_none_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeSageMaker()
    fake.add("nightly", ["InProgress"])
    fake.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException", "Rate exceeded")]

    looks = [FakeHook(fake).look("nightly") for _ in range(2)]

    assert [look and look["TransformJobStatus"] for look in looks] == [None, "InProgress"]
    assert [line.levelname for line in caplog.records] == ["WARNING"]
    assert "Rate exceeded" in caplog.text


def test_a_look_that_is_refused_raises() -> None:
    fake = FakeSageMaker()
    fake.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "AccessDeniedException")]

    with pytest.raises(JobRefused):
        FakeHook(fake).look("nightly")


class Counting(BatchTransformHook):
    """Counts the clients that it makes."""

    def __init__(self, client: FakeSageMaker) -> None:
        super().__init__(aws_conn_id=None)
        self.made = 0
        self.only = client

    @cached_property
    def conn(self) -> FakeSageMaker:
        self.made += 1
        time.sleep(0.05)
        return self.only


def one_job() -> FakeSageMaker:
    fake = FakeSageMaker()
    fake.add("nightly", ["InProgress"])
    return fake


def test_threads_that_share_a_hook_make_one_client() -> None:
    hook = Counting(one_job())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hook.look, ["nightly"] * 8))

    assert hook.made == 1


def test_a_client_is_made_anew_after_a_while_so_that_a_mended_connection_counts() -> None:
    hook = Counting(one_job())
    hook.renewed_after = 0.02

    hook.look("nightly")
    time.sleep(0.03)
    hook.look("nightly")

    assert hook.made == 2


@pytest.mark.parametrize(
    ("life", "asked"),
    [(["InProgress"], True), (["Stopping"], False), (["Stopped"], False), (["Completed"], False), (["Failed"], False)],
)
def test_stop_is_no_error_where_the_job_has_ended(life: list[str], asked: bool) -> None:
    fake = FakeSageMaker()
    fake.add("nightly", life)

    assert FakeHook(fake).stop("nightly") is asked
    assert fake.names("StopTransformJob") == ["nightly"]


def test_stop_of_a_job_that_does_not_exist() -> None:
    with pytest.raises(JobNotFound):
        FakeHook(FakeSageMaker()).stop("nightly")


def test_stop_that_may_not_be_is_refused() -> None:
    fake = FakeSageMaker()
    fake.add("nightly", ["InProgress"])
    fake.trouble["StopTransformJob"] = [refusal("StopTransformJob", "AccessDeniedException")]

    with pytest.raises(JobRefused) as caught:
        FakeHook(fake).stop("nightly")

    assert caught.value.code == "AccessDeniedException"


@pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped"])
def test_wait_looks_until_the_job_has_ended_however(end: str) -> None:
    fake, watch = FakeSageMaker(), Time()
    fake.add("nightly", ["InProgress", "InProgress", "Stopping", end])

    found = FakeHook(fake).wait("nightly", interval=30, sleep=watch.sleep, clock=watch.clock, chance=lambda: 0.5)

    assert found["TransformJobStatus"] == end
    assert watch.naps == pytest.approx([1, 1, 1])


def test_wait_does_not_sleep_for_a_job_that_has_ended() -> None:
    fake, watch = FakeSageMaker(), Time()
    fake.add("nightly", ["Completed"])

    FakeHook(fake).wait("nightly", timeout=0, sleep=watch.sleep, clock=watch.clock)

    assert watch.naps == []


def test_wait_ends_at_its_timeout_with_a_last_look() -> None:
    fake, watch = FakeSageMaker(), Time()
    fake.add("nightly", ["InProgress"])
    began = watch.now

    with pytest.raises(JobTimedOut) as caught:
        FakeHook(fake).wait("nightly", interval=30, timeout=100, sleep=watch.sleep, clock=watch.clock)

    assert caught.value.seconds == pytest.approx(100)
    assert watch.now == pytest.approx(began + 100)
    assert len(fake.calls) == len(watch.naps) + 1


def outages() -> Iterator[Exception]:
    for code in ("ThrottlingException", "ExpiredTokenException", "InternalFailure"):
        yield refusal("DescribeTransformJob", code)
    yield EndpointConnectionError(endpoint_url="http://localhost:1")


def test_throttling_and_lost_connections_never_fail_a_wait() -> None:
    fake, watch = FakeSageMaker(), Time()
    fake.add("nightly", ["InProgress", "Completed"])
    fake.trouble["DescribeTransformJob"] = [error for _ in range(50) for error in outages()]

    found = FakeHook(fake).wait("nightly", sleep=watch.sleep, clock=watch.clock)

    assert found["TransformJobStatus"] == "Completed"
    assert len(fake.calls) == 202


def test_an_outage_does_not_outlive_the_deadline() -> None:
    fake, watch = FakeSageMaker(), Time()
    fake.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException") for _ in range(99)]

    with pytest.raises(JobTimedOut):
        FakeHook(fake).wait("nightly", timeout=3600, sleep=watch.sleep, clock=watch.clock)

    assert len(fake.calls) < 40


def test_a_wait_for_a_job_that_does_not_exist_ends_at_once() -> None:
    watch = Time()

    with pytest.raises(JobNotFound):
        FakeHook(FakeSageMaker()).wait("nightly", sleep=watch.sleep, clock=watch.clock)

    assert watch.naps == []
