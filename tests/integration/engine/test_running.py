"""What jobs do to objects: instances, order, failures, joins, models of our own."""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
from typing import Any

import pytest

from tests.engines import Desk

CSV = {"ContentType": "text/csv", "Accept": "text/csv", "SplitType": "Line", "AssembleWith": "Line"}
MIB = 1024 * 1024


@pytest.fixture
def echo(desk: Desk) -> str:
    return desk.model(desk.models.url("echo"))


def test_every_object_has_its_output_below_the_same_path(desk: Desk, echo: str) -> None:
    bodies = {f"{name}.csv": b"%d\n" % index for index, name in enumerate(["a", "b c", "day=1/x", "day=1/ü", "e"])}
    for key, body in bodies.items():
        desk.put_at(f"in/{key}", body)
    desk.put_at("in/day=1/", b"")
    desk.put_at("inside", b"another prefix")

    job = desk.run(echo, InstanceCount=2)

    assert job["TransformJobStatus"] == "Completed"
    assert {key: desk.get(key) for key in desk.keys("out/")} == {f"out/{key}.out": body for key, body in bodies.items()}


def test_instances_share_the_objects(desk: Desk, echo: str) -> None:
    for index in range(5):
        desk.put_at(f"in/{index}", b"x")

    job = desk.run(echo, InstanceCount=2)

    settings_lines = desk.data_log(job["TransformJobName"]).count("MaxConcurrentTransforms=1, MaxPayloadInMB=6")
    assert settings_lines == 2  # one line for each instance


def test_a_prefix_is_raw_text(desk: Desk, echo: str) -> None:
    for key in ("in/part-1", "in/part-10", "in/other"):
        desk.put_at(key, b"x")

    desk.run(echo, S3Uri=f"s3://{desk.bucket}/in/part-1")

    assert desk.keys("out/") == ["out/part-1.out", "out/part-10.out"]


def test_output_is_in_the_order_of_the_input_whatever_the_concurrency(desk: Desk) -> None:
    lines = b"".join(b"%07d,%s\n" % (index, b"x" * 90) for index in range(60_000))
    desk.put_at("in/big.csv", lines)
    url = desk.models.url("echo")

    desk.run(desk.model(url), **CSV, MaxPayloadInMB=1, MaxConcurrentTransforms=4)

    assert desk.get("out/big.csv.out") == lines
    payloads = [invocation.body for invocation in desk.models.sent_to(url)]
    assert len(payloads) == 6
    assert max(map(len, payloads)) <= MIB
    assert all(payload.endswith(b"\n") for payload in payloads)


def test_single_records_and_what_the_model_is_told(desk: Desk) -> None:
    desk.put_at("in/ü.csv", b"1,2\n3,4\n")
    url = desk.models.url("echo")

    desk.run(desk.model(url), **CSV, BatchStrategy="SingleRecord")

    assert desk.get("out/ü.csv.out") == b"1,2\n3,4\n"
    sent = desk.models.sent_to(url)
    assert sorted(invocation.body for invocation in sent) == [b"1,2", b"3,4"]
    headers = sent[0].headers
    assert (headers["Content-Type"], headers["Accept"]) == ("text/csv", "text/csv")
    assert headers["X-Amzn-Sagemaker-Input-Object-Base64"]


def test_the_request_wins_over_the_container(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n2\n")
    url = desk.models.url("echo", {"MaxConcurrentTransforms": 7, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2})

    job = desk.run(desk.model(url), **CSV, BatchStrategy="MultiRecord", MaxConcurrentTransforms=3)

    line = "MaxConcurrentTransforms=3, MaxPayloadInMB=2, BatchStrategy=MULTI_RECORD"
    assert line in desk.data_log(job["TransformJobName"])
    assert [invocation.body for invocation in desk.models.sent_to(url)] == [b"1\n2\n"]


def test_gzip_is_unpacked(desk: Desk) -> None:
    desk.put_at("in/a.csv.gz", gzip.compress(b"1\n2\n"))
    url = desk.models.url("echo")

    desk.run(desk.model(url), **CSV, CompressionType="Gzip")

    assert desk.get("out/a.csv.gz.out") == b"1\n2\n"


def test_binary_records_reach_the_model_without_their_framing(desk: Desk) -> None:
    records = [b"one", b"three", b"four"]
    framed = b"".join(
        struct.pack("<II", 0xCED7230A, len(record)) + record + b"\0" * (-len(record) % 4) for record in records
    )
    desk.put_at("in/a.rec", framed)
    url = desk.models.url("echo")

    desk.run(desk.model(url), SplitType="RecordIO", BatchStrategy="SingleRecord")

    assert sorted(invocation.body for invocation in desk.models.sent_to(url)) == sorted(records)
    assert desk.get("out/a.rec.out") == b"onethreefour"


def test_a_join_with_a_filter(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"id1,1,2\nid2,333,4\n")
    url = desk.models.url("numbered")

    job = desk.run(
        desk.model(url),
        **CSV,
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    )

    assert job["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.csv.out") == b"id1,3\nid2,5\n"


# ---------------------------------------------------------------------------------------------------- failures


def failed(desk: Desk, image: str, **members: Any) -> tuple[str, str]:
    """Run a job that fails: its reason, and its data log."""
    job = desk.run(desk.model(image), **members)
    assert job["TransformJobStatus"] == "Failed"
    return job["FailureReason"], desk.data_log(job["TransformJobName"])


def test_one_refused_object_fails_the_job_and_no_other_object(desk: Desk) -> None:
    for key, body in {"a": b"good", "b": b"bad", "c": b"good too"}.items():
        desk.put_at(f"in/{key}", body)

    reason, log = failed(desk, desk.models.url("refusing"))

    assert reason == "ClientError: See job logs for more information"
    assert desk.keys("out/") == ["out/a.out", "out/c.out"]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}:\[sagemaker logs\]: "
    name = re.escape(f"{desk.bucket}/in/b:")
    said = "".join(f"{stamp}{name}{text}\n" for text in (" ClientError: 400", "", " Message:", " cannot read", " this"))
    assert re.search(said, log)


def test_no_part_of_an_object_is_left_when_a_later_payload_is_refused(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"good line\n" * 200_000 + b"bad\n")

    failed(desk, desk.models.url("refusing"), **CSV, MaxPayloadInMB=1, MaxConcurrentTransforms=2)

    assert desk.keys("out/") == []
    assert "Uploads" not in desk.engine.s3.list_multipart_uploads(Bucket=desk.bucket)


def test_a_model_that_breaks_is_asked_again_and_is_to_blame(desk: Desk) -> None:
    desk.put_at("in/a", b"x")
    url = desk.models.url("broken")

    reason, log = failed(desk, url, ModelClientConfig={"InvocationsMaxRetries": 2})

    assert reason == "AlgorithmError: See job logs for more information"
    assert "Bad HTTP status received from algorithm: 500" in log
    assert "ZeroDivisionError" in log
    assert len(desk.models.sent_to(url)) == 3


def test_fewer_rows_than_were_sent_cannot_be_joined(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n2\n3\n")

    reason, log = failed(desk, desk.models.url("short"), **CSV, DataProcessing={"JoinSource": "Input"})

    assert reason == "ClientError: See job logs for more information"
    assert f"{desk.bucket}/in/a.csv:" in log
    assert desk.keys("out/") == []


@pytest.mark.parametrize(
    ("body", "members"),
    [
        (b"x" * (MIB + 1), {"MaxPayloadInMB": 1}),
        (b"", {}),
        (b'1,"\n', CSV | {"DataProcessing": {"JoinSource": "Input"}}),
        (b"1,2\n", CSV | {"DataProcessing": {"OutputFilter": "$[0:2,246:]"}}),
        (b"no gzip", {"CompressionType": "Gzip"}),
    ],
    ids=["too large", "empty", "no CSV", "no filter", "no gzip"],
)
def test_input_that_cannot_be(desk: Desk, body: bytes, members: dict[str, Any]) -> None:
    desk.put_at("in/a", body)
    desk.put_at("in/b", b"1,2\n" if "CompressionType" not in members else gzip.compress(b"1,2\n"))

    reason, log = failed(desk, desk.models.url("echo"), **members)

    assert reason == "ClientError: See job logs for more information"
    assert f"{desk.bucket}/in/a:" in log
    assert "out/a.out" not in desk.keys("out/")


def test_a_missing_output_bucket(desk: Desk) -> None:
    desk.put_at("in/a", b"x")

    reason, log = failed(desk, desk.models.url("echo"), S3OutputPath="s3://there-is-no-such-bucket/out/")

    assert reason == "ClientError: See job logs for more information"
    assert "NoSuchBucket" in log


def test_a_server_that_answers_no_ping(desk: Desk) -> None:
    desk.put_at("in/a", b"x")

    reason, _ = failed(desk, desk.models.url("dead"))

    assert reason == (
        "AlgorithmError: Model container failed to respond to ping. Please ensure /ping endpoint is implemented and"
        " responds with an HTTP 200 status code"
    )


# ------------------------------------------------------------------------------------------- models of our own


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("__", "/") + ".py")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


HANDLER = """
import os
print("loading the model")
def transform_fn(model, data, content_type, accept):
    greeting = os.environ["GREETING"]
    if "boom" in str(data):
        raise RuntimeError("the model's own words")
    return f"{greeting} {os.environ['SAGEMAKER_BATCH']}\\n", accept
def model_fn(model_dir):
    return None
"""


def own_model(desk: Desk, body: bytes) -> str:
    desk.put_at("model.tar.gz", body)
    url = f"s3://{desk.bucket}/model.tar.gz"
    return desk.model("image", ModelDataUrl=url, Environment={"GREETING": "hello"})


def test_a_handler_in_an_archive(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("in/b.csv", b"2\n")

    job = desk.run(own_model(desk, archive(code__inference=HANDLER)), **CSV, InstanceCount=2)

    assert job["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.csv.out") == desk.get("out/b.csv.out") == b"hello true\n"
    folder = desk.engine.home / "jobs" / "us-east-1" / job["TransformJobName"]
    assert {path.name for path in folder.iterdir()} == {"logs", "objects.jsonl"}
    logs = list((folder / "logs").glob("i-*-*.log"))
    assert len(logs) == 2
    assert all("loading the model" in log.read_text() for log in logs)


def test_the_environment_of_the_job_wins(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")

    desk.run(own_model(desk, archive(code__inference=HANDLER)), **CSV, Environment={"GREETING": "goodbye"})

    assert desk.get("out/a.csv.out") == b"goodbye true\n"


def test_a_handler_that_raises(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"boom\n")

    job = desk.run(own_model(desk, archive(code__inference=HANDLER)), **CSV)

    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "the model's own words" in desk.data_log(job["TransformJobName"])
    assert desk.keys("out/") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"no archive", "ClientError: Failed to extract model data archive from URL"),
        (archive(other="x = 1"), "ClientError: "),
        (
            archive(code__inference="import no_such_module_here"),
            "AlgorithmError: Model container failed to respond to ping",
        ),
        (archive(**{"..__..__evil": "x = 1"}), "ClientError: Failed to extract model data archive from URL"),
    ],
    ids=["no archive", "no handler", "broken handler", "escaping"],
)
def test_archives_that_hold_no_model(desk: Desk, body: bytes, reason: str) -> None:
    desk.put_at("in/a.csv", b"1\n")

    job = desk.run(own_model(desk, body), **CSV)

    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(reason)


def test_an_archive_that_is_not_there(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")

    job = desk.run(desk.model("image", ModelDataUrl=f"s3://{desk.bucket}/gone.tar.gz"))

    assert job["FailureReason"].startswith("ClientError: Failed to download model data from URL")
