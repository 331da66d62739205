"""Why a job failed, out of the logs of a client that is handed in."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from airflow_batchtx.control.diagnosis import NEVER_STARTED, NO_LINES, Diagnosis, diagnose
from airflow_batchtx.errors import FailedObject, JobAlgorithmError, JobClientError
from airflow_batchtx.sagemaker.joblogs import JobLogs
from tests.fake_logs import INSTANCE, FakeLogs
from tests.fake_sagemaker import CREATED, REQUEST, refusal

STAMP = "2026-11-23T12:00:00.123:[sagemaker logs]: "
SETTINGS = f"{STAMP}MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
DATA_LOG = f"nightly/{INSTANCE}/data-log"
FAILED: dict[str, Any] = {
    **REQUEST,
    "TransformJobName": "nightly",
    "TransformJobStatus": "Failed",
    "TransformStartTime": CREATED,
    "FailureReason": "ClientError: See job logs for more information",
}
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/opt/ml/model/code/inference.py", line 3, in predict_fn',
    "    return 1 / 0",
    "ZeroDivisionError: division by zero",
]


class Time:
    """A clock that only sleeping moves; `then` happens at the end of each sleep."""

    def __init__(self, then: Callable[[float], None] = lambda now: None) -> None:
        self.now, self.then = 0.0, then

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.then(self.now)

    def clock(self) -> float:
        return self.now


@pytest.fixture
def fake() -> FakeLogs:
    fake = FakeLogs()
    fake.add(DATA_LOG, SETTINGS)
    return fake


def about(name: str, *texts: str) -> list[str]:
    return [f"{STAMP}{name}: {text}" for text in texts]


def found(fake: FakeLogs, time: Time | None = None, described: Any = FAILED, **options: Any) -> Diagnosis:
    time = time or Time()
    return diagnose(JobLogs(fake), described, sleep=time.sleep, clock=time.clock, **options)


def test_the_object_its_status_and_the_words_of_the_model_are_named(fake: FakeLogs) -> None:
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "ClientError: 400", "", "Message:", "cannot read", "this"))
    time = Time()

    diagnosis = found(fake, time)

    assert diagnosis == Diagnosis(objects=(FailedObject("s3://bucket/in/a.csv", 400, "cannot read\nthis"),))
    assert time.now == 0
    assert "GetLogEvents" in fake.calls


def test_it_tells_the_error_what_it_found() -> None:
    error = JobClientError("nightly", "ClientError: See job logs for more information")
    diagnosis = Diagnosis((FailedObject("s3://bucket/in/a.csv", 400, "cannot\nread"),), ("a line",), "A note.")

    told = pickle.loads(pickle.dumps(diagnosis.explain(error)))

    assert type(told) is JobClientError
    assert (told.objects, told.excerpt, told.note) == (diagnosis.objects, diagnosis.excerpt, diagnosis.note)
    assert str(told).splitlines() == [
        "Transform job 'nightly' failed: ClientError: See job logs for more information",
        "  s3://bucket/in/a.csv: HTTP 400: cannot read",
        "  A note.",
        "  a line",
    ]


def test_a_request_that_is_too_large_comes_with_the_way_out(fake: FakeLogs) -> None:
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "ClientError: 413", "", "Message:", "<html>"))

    note = found(fake).note

    assert "MaxPayloadInMB, which is 6," in note
    assert "BatchStrategy" in note


@pytest.mark.parametrize("words", ["413", "payload too large"])
def test_words_alone_give_no_advice(fake: FakeLogs, words: str) -> None:
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "ClientError: 400", "", "Message:", words))

    assert found(fake).note == ""


# -------------------------------------------------------------------------------------------- what containers print


def test_the_first_traceback_of_the_container_is_told_where_the_answer_does_not(fake: FakeLogs) -> None:
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "Bad HTTP status received from algorithm: 500"))
    fake.add(f"nightly/{INSTANCE}", "loading", *TRACEBACK, "POST /invocations", TRACEBACK[0], "KeyError: 'x'")

    assert found(fake).excerpt == tuple(TRACEBACK)


def test_what_a_logger_puts_before_each_line_is_left_out(fake: FakeLogs) -> None:
    prefix = "2026-11-23 12:00:00,000 [INFO ] W-model-1-stdout com.amazonaws.ml.mms.wlm.WorkerLifeCycle - "
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "Bad HTTP status received from algorithm: 500"))
    fake.add(f"nightly/{INSTANCE}", *(prefix + line for line in TRACEBACK), prefix + "next")

    assert found(fake).excerpt == tuple(TRACEBACK)


def test_a_traceback_that_the_model_has_answered_with_is_not_told_twice(fake: FakeLogs) -> None:
    texts = ["Bad HTTP status received from algorithm: 500", "", "Message:", *TRACEBACK]
    fake.add(DATA_LOG, *about("bucket/in/a.csv", *texts))
    fake.add(f"nightly/{INSTANCE}", *TRACEBACK)

    diagnosis = found(fake)

    assert diagnosis.objects[0].words == "\n".join(TRACEBACK)
    assert diagnosis.excerpt == ()


def test_of_a_long_traceback_the_end_is_told(fake: FakeLogs) -> None:
    deep = [TRACEBACK[0], *(f'  File "deep.py", line {at}' for at in range(2_000)), "RecursionError: too deep"]
    fake.add(f"nightly/{INSTANCE}", *deep[-300:-1], *deep)

    excerpt = found(fake, patience=0).excerpt

    assert excerpt[-1] == "RecursionError: too deep"
    assert len(excerpt) < 40


def test_a_refused_request_needs_no_look_at_what_the_container_printed(fake: FakeLogs) -> None:
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "ClientError: 400", "", "Message:", "no"))
    fake.add(f"nightly/{INSTANCE}", *TRACEBACK)

    assert found(fake).excerpt == ()
    assert fake.calls.count("GetLogEvents") == 2


def test_containers_of_a_pipeline_are_looked_at_one_by_one_and_told_once(fake: FakeLogs) -> None:
    other = "i-00000000000000000-1795435200"
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "Bad HTTP status received from algorithm: 500"))
    fake.add(f"nightly/{INSTANCE}/first", "all", "well")
    fake.add(f"nightly/{INSTANCE}/second", *TRACEBACK)
    fake.add(f"nightly/{INSTANCE}/third", *TRACEBACK)
    fake.add(f"nightly/{other}/data-log", SETTINGS)
    fake.add(f"nightly/{other}/second", TRACEBACK[0], "OSError: not to blame")

    assert found(fake).excerpt == tuple(TRACEBACK)


def test_a_container_that_never_answered_is_told_by_its_last_lines(fake: FakeLogs) -> None:
    fake.add(DATA_LOG, f"{STAMP}Model container failed to respond to ping.")
    fake.add(f"nightly/{INSTANCE}", *(f"line {at}" for at in range(1_000)))

    excerpt = found(fake).excerpt

    assert excerpt[0] == "Model container failed to respond to ping."
    assert excerpt[-1] == "line 999"
    assert len(excerpt) == 11


# ----------------------------------------------------------------------------------------------------------- bounds


def test_thousands_of_failures_are_told_in_few(fake: FakeLogs) -> None:
    for number in range(1_249):
        words = "one of its kind" if number == 1_200 else "the same"
        fake.add(DATA_LOG, *about(f"bucket/in/{number:04}.csv", "ClientError: 400", "", "Message:", words))

    diagnosis = found(fake)

    assert [one.words for one in diagnosis.objects] == ["the same", "one of its kind", *["the same"] * 18]
    assert [one.uri for one in diagnosis.objects[::2]] == [
        f"s3://bucket/in/{at:04}.csv" for at in (0, *range(1, 18, 2))
    ]
    assert diagnosis.note == "At least 1249 objects failed; 20 are named here."
    assert len(str(diagnosis.explain(JobClientError("nightly")))) < 2_000


@pytest.mark.parametrize("count", [1, 50])
def test_whatever_models_and_containers_say_an_error_stays_small(fake: FakeLogs, count: int) -> None:
    for number in range(count):
        stream = f"nightly/i-{number}"
        long = [f"{at} {'ä' * 20_000}" for at in range(100)]
        fake.add(f"{stream}/data-log", *about(f"bucket/in/{number}", "ClientError: 500", "", "Message:", *long), *long)
        fake.add(stream, *long)

    error = found(fake).explain(JobClientError("nightly"))

    assert len(pickle.dumps(error)) < 100_000
    assert len(str(error)) < 10_000
    assert error.objects[0].words.startswith("0 ä")


# ---------------------------------------------------------------------------------------------------------- waiting


def test_lines_that_come_late_are_waited_for(fake: FakeLogs) -> None:
    def later(now: float) -> None:
        if now == 3:
            fake.add(DATA_LOG, *about("bucket/in/a.csv", "ClientError: 400"))

    time = Time(later)

    assert [one.status for one in found(fake, time).objects] == [400]
    assert time.now == 3


@pytest.mark.parametrize("patience", [0, 5, 60])
def test_patience_has_an_end(fake: FakeLogs, patience: float) -> None:
    time = Time()

    assert found(fake, time, patience=patience) == Diagnosis(note=NO_LINES)
    assert time.now <= patience
    assert len(fake.calls) < 40


def test_a_job_that_never_started_has_no_logs_to_wait_for() -> None:
    fake, time = FakeLogs(), Time()
    described = {name: value for name, value in FAILED.items() if name != "TransformStartTime"}

    assert found(fake, time, described) == Diagnosis(note=NEVER_STARTED)
    assert (fake.calls, time.now) == ([], 0)


def test_throttling_is_waited_out(fake: FakeLogs) -> None:
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "ClientError: 400", "", "Message:", "no"))
    fake.trouble["DescribeLogStreams"] = [refusal("DescribeLogStreams", "ThrottlingException") for _ in range(2)]

    assert [one.status for one in found(fake).objects] == [400]


# --------------------------------------------------------------------------------- where the logs cannot be read


@pytest.mark.parametrize("operation", ["DescribeLogStreams", "GetLogEvents"])
def test_logs_that_may_not_be_read_leave_the_first_error_as_it_was(fake: FakeLogs, operation: str) -> None:
    fake.denied = {operation}
    first, time = JobAlgorithmError("nightly", "AlgorithmError: See job logs for more information"), Time()

    diagnosis = found(fake, time)
    told = diagnosis.explain(first)

    assert (diagnosis.objects, diagnosis.excerpt) == ((), ())
    assert "AccessDeniedException" in diagnosis.note
    assert "Allow logs:DescribeLogStreams and logs:GetLogEvents" in diagnosis.note
    assert (type(told), told.job_name, told.reason) == (JobAlgorithmError, "nightly", first.reason)
    assert time.now == 0


def test_logs_that_stay_out_of_reach_are_a_note(fake: FakeLogs) -> None:
    fake.trouble["GetLogEvents"] = [refusal("GetLogEvents", "ThrottlingException", "Rate exceeded") for _ in range(99)]

    note = found(fake).note

    assert "Rate exceeded" in note
    assert "Allow" not in note


def test_what_was_read_before_the_trouble_is_kept(fake: FakeLogs) -> None:
    fake.add(DATA_LOG, *about("bucket/in/a.csv", "Bad HTTP status received from algorithm: 500"))
    fake.add(f"nightly/{INSTANCE}", *TRACEBACK)
    calls = iter([None, None, refusal("GetLogEvents", "ThrottlingException", "Rate exceeded")])

    class Flaky(FakeLogs):
        def get_log_events(self, **request: Any) -> dict[str, Any]:
            if error := next(calls):
                raise error
            return fake.get_log_events(**request)

        def describe_log_streams(self, **request: Any) -> dict[str, Any]:
            return fake.describe_log_streams(**request)

    diagnosis = found(Flaky())

    assert [one.status for one in diagnosis.objects] == [500]
    assert "Rate exceeded" in diagnosis.note


def test_nothing_that_is_wrong_with_the_logs_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeLogs):
        def describe_log_streams(self, **_: Any) -> dict[str, Any]:
            return {"unexpected": True}

    assert found(Broken()).note == "The job's logs could not be read: KeyError."
    assert "KeyError" in caplog.text
