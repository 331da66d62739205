"""What an ended job means: a result with its proof on record, or the error that says what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.control.assignment import OnRecord
from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import (
    FailedObject,
    JobAlgorithmError,
    JobCapacityError,
    JobClientError,
    JobFailed,
    JobStopped,
    OutputIncomplete,
)
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.spec.policy import OnStopped, Policy, Verify
from airflow_batchtx.spec.prices import Price, PriceTable
from airflow_batchtx.spec.record import Record
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment
from tests.fake_logs import INSTANCE, FakeLogs

HOURLY = Price(per_hour=3.6, currency="USD", date="2026-11-01", source="a test")
FAILED = ("InProgress", "Failed")
REASON = "AlgorithmError: See job logs for more information"


def ended(world: World, **members: Any) -> tuple[Mapping[str, Any], OnRecord]:
    """Start a job, and describe it once it has ended; `members` are put over what Describe says."""
    started = start(world.services, assignment())
    while (described := world.services.jobs.describe(started.job_name))["TransformJobStatus"] == "InProgress":
        world.sleep(1)
    assert started.on_record is not None
    return {**described, **members}, started.on_record


def ending(
    world: World, logs: Any = None, prices: Mapping[tuple[str, str], Price] | None = None, **policy: Any
) -> Ending:
    services = world.services if logs is None else replace(world.services, logs=JobLogs(logs))
    return Ending(services=services, policy=Policy(**policy), prices=PriceTable(prices=prices or {}))


def record(world: World, result: TransformResult) -> Record:
    found = Ledger(world.store, assignment().control).record(result.job_name)
    assert found is not None
    return found


class TestSuccess:
    def test_is_on_record_object_by_object(self) -> None:
        world = World()
        described, attempt = ended(world)

        result = ending(world).concluded(described, attempt)

        assert (result.objects, result.objects_done, result.attempts) == (3, 3, 1)
        assert (result.control, result.record) == (str(attempt.folder), f"{attempt.folder}record.json")
        found = record(world, result)
        assert found.result == result.to_dict()
        assert [(one.input, one.output, one.job_name) for one in found.objects] == [
            (f"s3://b/in/{name}.csv", f"s3://b/out/{name}.csv.out", result.job_name) for name in "abc"
        ]
        there = {str(one.uri): one for one in world.store.objects(S3Uri("b", "out/"))}
        assert all(one.state and one.state.etag == there[one.output].etag for one in found.objects)

    def test_needs_no_proof_where_none_is_asked_for(self) -> None:
        world = World()
        world.batch.poisoned = {"s3://b/in/a.csv"}
        described, attempt = ended(world)
        world.store.buckets.clear()  # nothing may be listed or written

        result = ending(world, verify=Verify.NONE).concluded(described, attempt)

        assert (result.status, result.objects, result.objects_done, result.record) == ("Completed", 3, None, None)

    def test_of_a_job_that_left_no_intent_is_taken_at_its_word(self) -> None:
        world = World()
        described, _ = ended(world)
        world.store.buckets.clear()

        result = ending(world).concluded(described, None)

        assert (result.status, result.control, result.objects, result.record) == ("Completed", None, None, None)

    def test_is_none_where_outputs_lack_and_the_error_names_the_first(self) -> None:
        names = [f"s3://b/in/{number:02}.csv" for number in range(15)]
        world = World(dict.fromkeys(names, b"1\n"))
        world.batch.poisoned = set(names[1:])
        described, attempt = ended(world)

        with pytest.raises(OutputIncomplete) as caught:
            ending(world).concluded(described, attempt)

        assert (caught.value.missing, caught.value.count, caught.value.total) == (tuple(names[1:11]), 14, 15)
        assert Ledger(world.store, assignment().control).record(described["TransformJobName"]) is None

    def test_has_no_part_in_outputs_that_answer_no_input_of_it(self, caplog: pytest.LogCaptureFixture) -> None:
        world = World()
        world.put("s3://b/out/of-old.csv.out")
        described, attempt = ended(world)
        world.put("s3://b/out/late.csv.out")
        world.put("s3://b/out/_SUCCESS")

        result = ending(world).concluded(described, attempt)

        assert (result.objects, result.objects_done) == (3, 3)
        assert record(world, result).unexpected == ("s3://b/out/late.csv.out",)
        assert "1 outputs came meanwhile" in caplog.text
        assert "s3://b/out/late.csv.out" in caplog.text


class TestAStop:
    def stopped(self) -> tuple[World, Mapping[str, Any], OnRecord]:
        """A job that was stopped once it had written one output of three."""
        world = World(life=("InProgress", "Stopped"))
        described, attempt = ended(world)
        world.put("s3://b/out/b.csv.out", b"3\n")
        return world, described, attempt

    def test_is_a_failure(self) -> None:
        world, described, attempt = self.stopped()

        with pytest.raises(JobStopped):
            ending(world).concluded(described, attempt)

    def test_may_be_accepted_and_the_record_says_what_there_is(self) -> None:
        world, described, attempt = self.stopped()

        result = ending(world, on_stopped=OnStopped.ACCEPT).concluded(described, attempt)

        assert (result.status, result.objects, result.objects_done) == ("Stopped", 3, 1)
        assert [(one.job_name, one.state is not None) for one in record(world, result).objects] == [
            (None, False), (result.job_name, True), (None, False),
        ]  # fmt: skip

    def test_that_may_be_accepted_makes_no_failure_one(self) -> None:
        world = World(life=FAILED, reason=REASON)
        described, attempt = ended(world)

        with pytest.raises(JobAlgorithmError):
            ending(world, on_stopped=OnStopped.ACCEPT).concluded(described, attempt)


class TestAFailure:
    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            ("ClientError: See job logs", JobClientError), (REASON, JobAlgorithmError),
            ("CapacityError: none left", JobCapacityError), ("Something: new", JobFailed), ("", JobFailed),
        ],
    )  # fmt: skip
    def test_is_an_error_of_its_class(self, reason: str, kind: type[JobFailed]) -> None:
        world = World(life=FAILED, reason=reason)
        described, attempt = ended(world)

        with pytest.raises(JobFailed) as caught:
            ending(world).concluded(described, attempt)

        assert (type(caught.value), caught.value.reason) == (kind, reason)

    def test_tells_what_the_logs_say_of_it(self) -> None:
        world, logs = World(life=FAILED, reason=REASON), FakeLogs()
        described, attempt = ended(world)
        stamp = "2026-11-23T12:00:00.123:[sagemaker logs]: b/in/b.csv: "
        said = [f"{stamp}{text}" for text in ("ClientError: 400", "", "Message:", "no column x")]
        logs.add(f"{described['TransformJobName']}/{INSTANCE}/data-log", *said)

        with pytest.raises(JobAlgorithmError) as caught:
            ending(world, logs).concluded(described, attempt)

        # A bucket of one letter is none that the log's form is known by: it is the intent that knows the object.
        assert caught.value.objects == (FailedObject("s3://b/in/b.csv", 400, "no column x"),)
        assert "s3://b/in/b.csv: HTTP 400: no column x" in str(caught.value)

    @pytest.mark.parametrize("operation", ["DescribeLogStreams", "GetLogEvents"])
    def test_is_told_where_the_logs_may_not_be_read(self, operation: str) -> None:
        world, logs = World(life=FAILED, reason=REASON), FakeLogs()
        described, attempt = ended(world)
        logs.add(f"{described['TransformJobName']}/{INSTANCE}/data-log", "said")
        logs.denied = {operation}

        with pytest.raises(JobAlgorithmError) as caught:
            ending(world, logs).concluded(described, attempt)

        assert caught.value.reason == REASON
        assert f"logs:{operation}" in caught.value.note

    def test_is_told_where_the_outputs_cannot_be_listed(self, caplog: pytest.LogCaptureFixture) -> None:
        world = World(life=FAILED, reason=REASON)
        described, attempt = ended(world)
        world.store.buckets.clear()

        with pytest.raises(JobAlgorithmError):
            ending(world).concluded(described, attempt)

        assert "How far the job came cannot be told" in caplog.text

    def test_says_how_many_objects_are_done(self, caplog: pytest.LogCaptureFixture) -> None:
        world = World(life=FAILED, reason=REASON)
        world.batch.poisoned = {"s3://b/in/b.csv"}
        described, attempt = ended(world)

        with caplog.at_level("INFO"), pytest.raises(JobAlgorithmError):
            ending(world).concluded(described, attempt)

        assert "2 of 3 objects have their output, which stays." in caplog.text


class TestTheCost:
    def test_is_that_of_all_instances_and_of_the_prices_day(self) -> None:
        world = World()
        described, attempt = ended(world)  # two instances, for two minutes

        result = ending(world, prices={("us-east-1", "ml.m5.large"): HOURLY}).concluded(described, attempt)

        assert (result.cost, result.currency, result.priced) == (0.24, "USD", "2026-11-01")

    @pytest.mark.parametrize("known", [("eu-west-1", "ml.m5.large"), ("us-east-1", "ml.m5.xlarge")])
    def test_is_not_guessed(self, known: tuple[str, str]) -> None:
        world = World()
        described, attempt = ended(world)

        result = ending(world, prices={known: HOURLY}).concluded(described, attempt)

        assert (result.cost, result.currency, result.priced) == (None, None, None)

    def test_is_not_known_of_a_job_that_runs(self) -> None:
        world = World(life=("InProgress",))
        started = start(world.services, assignment())
        described = world.services.jobs.describe(started.job_name)

        result = ending(world, prices={("us-east-1", "ml.m5.large"): HOURLY}).result(described, started.on_record)

        assert (result.status, result.cost, result.control) == ("InProgress", None, str(started.folder))
