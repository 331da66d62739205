"""Jobs that fail in a real engine, and what their logs in CloudWatch (moto's) tell of it."""

from __future__ import annotations

import json
import time
from typing import Any

from airflow_batchtx.control.diagnosis import NEVER_STARTED, Diagnosis, diagnose
from airflow_batchtx.errors import FailedObject, JobAlgorithmError, JobClientError, JobFailed
from airflow_batchtx.sagemaker.joblogs import JobLogs, LogLine
from airflow_batchtx.spec.lifecycle import failure
from tests.engines import Desk, client_of
from tests.fake_sagemaker import refusal
from tests.integration.engine.test_running import HANDLER, archive, own_model

JSON_LINES = {"ContentType": "application/jsonlines", "Accept": "application/jsonlines"}
JOIN = {**JSON_LINES, "SplitType": "Line", "AssembleWith": "Line", "DataProcessing": {"JoinSource": "Input"}}
ONE_TRY = {"InvocationsMaxRetries": 0, "InvocationsTimeoutInSeconds": 1}
MIB = 1024 * 1024


def logs_of(desk: Desk) -> JobLogs:
    return JobLogs(client_of("logs", desk.engine.storage))


def diagnosed(desk: Desk, model: str, **members: Any) -> tuple[JobFailed, Diagnosis]:
    """Let a job fail: its error as it stands, and what its logs tell."""
    job = desk.run(model, **members)
    error = failure(job["TransformJobName"], job["TransformJobStatus"], job.get("FailureReason", ""))
    assert error is not None
    found = diagnose(logs_of(desk), job, sleep=time.sleep, clock=time.monotonic, patience=5)
    return found.explain(error), found


def test_the_object_that_was_refused_among_others(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"good\n")
    desk.put_at("in/b.csv", b"bad\n")

    error, found = diagnosed(desk, desk.model(desk.models.url("refusing")))

    uri = f"s3://{desk.bucket}/in/b.csv"
    assert type(error) is JobClientError
    assert found == Diagnosis(objects=(FailedObject(uri, 400, "cannot read\nthis"),))
    assert f"{uri}: HTTP 400: cannot read this" in str(error)


def test_a_model_that_breaks(desk: Desk) -> None:
    desk.put_at("in/Größe: 3 (é).csv", b"1\n")

    error, found = diagnosed(desk, desk.model(desk.models.url("broken")), ModelClientConfig=ONE_TRY)

    assert type(error) is JobAlgorithmError
    assert found.objects == (
        FailedObject(f"s3://{desk.bucket}/in/Größe: 3 (é).csv", 500, "Traceback\nZeroDivisionError"),
    )


def test_a_model_that_does_not_answer_in_time(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    desk.models.release.clear()

    _, found = diagnosed(desk, desk.model(desk.models.url("held")), ModelClientConfig=ONE_TRY)
    desk.models.release.set()

    (one,) = found.objects
    assert (one.uri, one.status) == (f"s3://{desk.bucket}/in/a.csv", None)
    assert one.words.startswith("Model server did not respond to /invocations request within 1 seconds")


def test_a_request_that_the_models_server_finds_too_large(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    image = desk.models.scripted(lambda invocation: (413, b"<title>413 Request Entity Too Large</title>"))

    _, found = diagnosed(desk, desk.model(image), MaxPayloadInMB=7)

    assert [one.status for one in found.objects] == [413]
    assert "Lower MaxPayloadInMB, which is 7, set BatchStrategy to SingleRecord" in found.note


def test_a_record_that_no_payload_holds(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"x" * MIB + b"y\n")

    _, found = diagnosed(desk, desk.model(desk.models.url("echo")), SplitType="Line", MaxPayloadInMB=1)

    (one,) = found.objects
    assert one.status is None
    assert "MaxPayloadInMB allows 1048576" in one.words


def test_input_that_is_no_json(desk: Desk) -> None:
    desk.put_at("in/a.jsonl", b'{"a": 1}\n{"a": \n')

    _, found = diagnosed(desk, desk.model(desk.models.url("echo")), **JOIN)

    (one,) = found.objects
    assert (one.uri, one.status) == (f"s3://{desk.bucket}/in/a.jsonl", None)
    assert "JSON" in one.words


def test_a_handler_that_raises_says_where(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"boom\n")

    _, found = diagnosed(desk, own_model(desk, archive(code__inference=HANDLER)), ModelClientConfig=ONE_TRY)

    (one,) = found.objects
    assert one.status == 500
    assert "the model's own words" in one.words


def test_a_handler_that_does_not_load_is_told_by_what_it_printed(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")

    error, found = diagnosed(desk, own_model(desk, archive(code__inference="import no_such_module_here")))

    assert found.objects == ()
    assert any("No module named 'no_such_module_here'" in line for line in found.excerpt)
    assert "no_such_module_here" in str(error)


def test_a_model_that_answers_no_ping(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")

    _, found = diagnosed(desk, desk.model(desk.models.url("dead")))

    assert found.objects == ()
    assert any("failed to respond to ping" in line for line in found.excerpt)


def test_a_job_that_found_no_instance(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    faults = {"BATCHTX_FAULTS": json.dumps({"capacity_error": True})}

    _, found = diagnosed(desk, desk.model(desk.models.url("echo")), Environment=faults)

    assert found == Diagnosis(note=NEVER_STARTED)


def test_logs_that_may_not_be_read(desk: Desk) -> None:
    class Denied:
        """CloudWatch for somebody without permission."""

        def describe_log_streams(self, **_: Any) -> Any:
            raise refusal("DescribeLogStreams", "AccessDeniedException", "not authorized")

        def get_log_events(self, **_: Any) -> Any:
            raise refusal("GetLogEvents", "AccessDeniedException", "not authorized")

    desk.put_at("in/a.csv", b"bad\n")
    job = desk.run(desk.model(desk.models.url("refusing")))
    first = JobClientError(job["TransformJobName"], job["FailureReason"])

    told = diagnose(JobLogs(Denied()), job, sleep=time.sleep, clock=time.monotonic).explain(first)

    assert (told.job_name, told.reason, told.objects) == (first.job_name, first.reason, ())
    assert str(told).startswith(str(first))
    assert "AccessDeniedException" in told.note


# ------------------------------------------------------------------------------------------------------ following

TALKING = """
import time
def model_fn(model_dir):
    print("loaded", flush=True)
def transform_fn(model, data, content_type, accept):
    for number in range(200):
        print(f"line {number} ü", flush=True)
        time.sleep(0.01)
    return "done\\n", accept
"""


def test_a_tail_gives_what_a_running_job_prints_once_and_in_order(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("in/b.csv", b"1\n")
    logs = logs_of(desk)
    name = desk.start(own_model(desk, archive(code__inference=TALKING)), InstanceCount=2)
    tail, looks = logs.tail(name), list[list[LogLine]]()

    while desk.client.describe_transform_job(TransformJobName=name)["TransformJobStatus"] == "InProgress":
        looks.append(tail.lines())
        time.sleep(0.1)
    while lines := tail.lines():
        looks.append(lines)

    told: dict[str, list[str]] = {}
    for line in (line for lines in looks for line in lines):
        told.setdefault(line.stream, []).append(line.text)
    assert sorted(told) == logs.streams(name)
    printed = [texts for stream, texts in told.items() if not stream.endswith("/data-log")]
    assert len(printed) == 2
    for texts in printed:
        spoken = [text for text in texts if text.startswith("line ")]
        assert spoken == [f"line {number} ü" for number in range(200)]
    # While it ran, and not only at its end.
    assert sum(bool(lines) for lines in looks) > 2
    assert tail.lines() == []
