"""Which objects a job reads, and how much of one the model is sent at once."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engines import Desk, Invocation, Reply

CSV = {"ContentType": "text/csv", "Accept": "text/csv", "SplitType": "Line", "AssembleWith": "Line"}
JOIN = {"DataProcessing": {"JoinSource": "Input"}}
CLIENT_ERROR = "ClientError: See job logs for more information"
MIB = 1024 * 1024


@pytest.fixture
def echo(desk: Desk) -> str:
    return desk.model(desk.models.url("echo"))


def put_manifest(desk: Desk, *entries: Any) -> dict[str, str]:
    """Write a manifest and give the members of a request that name it."""
    desk.put_at("manifest.json", json.dumps(entries))
    return {"S3DataType": "ManifestFile", "S3Uri": f"s3://{desk.bucket}/manifest.json"}


# ------------------------------------------------------------------------------------------------- manifests


def test_a_manifest_names_the_objects(desk: Desk, echo: str) -> None:
    for key in ("data/a.csv", "data/day=1/b.csv", "data/not-named.csv"):
        desk.put_at(key, b"1\n")
    source = put_manifest(desk, {"prefix": f"s3://{desk.bucket}/data/"}, "a.csv", "day=1/b.csv")

    job = desk.run(echo, **source, InstanceCount=2)

    assert job["TransformJobStatus"] == "Completed"
    assert desk.keys("out/") == ["out/a.csv.out", "out/day=1/b.csv.out"]
    assert {name: job["TransformInput"]["DataSource"]["S3DataSource"][name] for name in source} == source


def test_an_object_that_a_manifest_names_in_vain_fails_alone(desk: Desk, echo: str) -> None:
    desk.put_at("data/there", b"1")
    source = put_manifest(desk, {"prefix": f"s3://{desk.bucket}/data/"}, "there", "gone")

    job = desk.run(echo, **source)

    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", CLIENT_ERROR)
    assert f"{desk.bucket}/data/gone: " in desk.data_log(job["TransformJobName"])
    assert desk.keys("out/") == ["out/there.out"]


def test_a_manifest_of_manifests_gives_the_model_a_manifest(desk: Desk, echo: str) -> None:
    source = put_manifest(desk, {"prefix": f"s3://{desk.bucket}/"}, "manifest.json")

    desk.run(echo, **source)

    assert json.loads(desk.get("out/manifest.json.out"))[1] == "manifest.json"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("no json", "it is not JSON"),
        ("[]", "it must hold a prefix and the name of one object at least"),
        ('["s3://b/a"]', "it must hold a prefix and the name of one object at least"),
        ('[{"prefix":"s3://b/"},["a"],"c/"]', '["a"] is not the name of an object; "s3://b/c/" is a folder'),
    ],
)
def test_what_is_no_manifest_is_refused_at_once(desk: Desk, echo: str, body: str, problem: str) -> None:
    source = put_manifest(desk)
    desk.put_at("manifest.json", body)

    with pytest.raises(ClientError) as caught:
        desk.client.create_transform_job(**desk.request(echo, **source))

    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith(f'Invalid manifest file "{source["S3Uri"]}" given in input data source: ')
    assert problem in error["Message"]


def test_a_manifest_that_is_not_there_is_refused_at_once(desk: Desk, echo: str) -> None:
    source = put_manifest(desk)["S3DataType"]

    with pytest.raises(ClientError, match=r"No S3 objects found under S3 URL .* Error message from S3"):
        desk.client.create_transform_job(**desk.request(echo, S3DataType=source, S3Uri=f"s3://{desk.bucket}/gone.json"))


def test_path_style_urls_are_s3_uris_too(desk: Desk, echo: str) -> None:
    desk.put_at("in/a", b"1")
    root = f"https://s3.us-east-1.amazonaws.com/{desk.bucket}"

    job = desk.run(echo, S3Uri=f"{root}/in/", S3OutputPath=f"{root}/out")

    assert desk.get("out/a.out") == b"1"
    assert job["TransformOutput"]["S3OutputPath"] == f"{root}/out"


def test_an_exact_object_is_its_own_prefix(desk: Desk, echo: str) -> None:
    desk.put_at("in/deep/a.csv", b"1")

    desk.run(echo, S3Uri=f"s3://{desk.bucket}/in/deep/a.csv")

    assert desk.keys("out/") == ["out/a.csv.out"]


# -------------------------------------------------------------------------------------- payloads without a limit


def failing_once() -> Callable[[Invocation], Reply]:
    """Make a model that fails the first request and echoes the others."""
    seen: list[bytes] = []

    def script(invocation: Invocation) -> Reply:
        seen.append(invocation.body)
        return (500, b"not yet") if len(seen) == 1 else (200, invocation.body)

    return script


@pytest.mark.parametrize(
    ("members", "pack"),
    [
        ({}, bytes),
        ({"CompressionType": "Gzip"}, gzip.compress),
        ({"SplitType": "Line"}, bytes),
        ({"SplitType": "Line", "CompressionType": "Gzip"}, gzip.compress),
    ],
    ids=["whole", "gzip", "lines", "lines in gzip"],
)
def test_without_a_limit_an_object_is_one_stream_also_when_it_is_sent_again(
    desk: Desk, members: dict[str, str], pack: Callable[[bytes], bytes]
) -> None:
    body = b"".join(b"%07d\n" % number for number in range(400_000))
    desk.put_at("in/a", pack(body))
    url = desk.models.scripted(failing_once())

    job = desk.run(desk.model(url), MaxPayloadInMB=0, **members)

    assert job["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.out") == body
    first, second = desk.models.sent_to(url)
    assert first.body == second.body == body
    assert second.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in second.headers
    assert "MaxPayloadInMB=0" in desk.data_log(job["TransformJobName"])


def test_without_a_limit_records_that_are_joined_go_in_payloads_of_six_megabytes(desk: Desk) -> None:
    body = b"".join(b"%07d,x\n" % number for number in range(1_000_000))
    desk.put_at("in/a.csv", body)
    url = desk.models.url("echo")

    desk.run(desk.model(url), MaxPayloadInMB=0, **CSV, **JOIN)

    sent = [invocation.body for invocation in desk.models.sent_to(url)]
    assert len(sent) == 2
    assert b"".join(sorted(sent)) == body
    assert max(map(len, sent)) <= 6 * MIB
    assert desk.get("out/a.csv.out").count(b"\n") == 1_000_000


def test_without_a_limit_single_records_go_in_chunks(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n2\n")
    url = desk.models.url("echo")

    desk.run(desk.model(url), MaxPayloadInMB=0, **CSV, BatchStrategy="SingleRecord")

    sent = desk.models.sent_to(url)
    assert [one.body for one in sent] == [b"1", b"2"]
    assert {one.headers["Transfer-Encoding"] for one in sent} == {"chunked"}


@pytest.mark.parametrize("limit", [0, 1])
@pytest.mark.parametrize(
    ("empty", "members"),
    [
        (b"", {}),
        (gzip.compress(b""), {"CompressionType": "Gzip"}),
        (b"", {"SplitType": "RecordIO"}),
        (b"\n\n", CSV | JOIN),
    ],
    ids=["none", "gzip", "records", "blank lines"],
)
def test_an_object_without_a_record_fails_and_is_not_sent(
    desk: Desk, empty: bytes, members: dict[str, Any], limit: int
) -> None:
    desk.put_at("in/empty", empty)
    desk.put_at("in/", b"")
    url = desk.models.url("echo")

    job = desk.run(desk.model(url), MaxPayloadInMB=limit, **members)

    assert job["FailureReason"] == CLIENT_ERROR
    assert f"{desk.bucket}/in/empty: The object holds no record" in desk.data_log(job["TransformJobName"])
    assert desk.models.sent_to(url) == []
    assert desk.keys("out/") == []


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_one_oversized_record_fails_its_object_only(desk: Desk, echo: str, strategy: str) -> None:
    desk.put_at("in/good.csv", b"1\n2\n")
    desk.put_at("in/bad.csv", b"1\n" + b"x" * (MIB + 1) + b"\n2\n")

    job = desk.run(echo, **CSV, MaxPayloadInMB=1, BatchStrategy=strategy)

    assert job["FailureReason"] == CLIENT_ERROR
    assert f"{desk.bucket}/in/bad.csv: " in desk.data_log(job["TransformJobName"])
    assert desk.keys("out/") == ["out/good.csv.out"]


# -------------------------------------------------------------------------------------------- several objects


def test_no_name_is_hidden(desk: Desk, echo: str) -> None:
    keys = ["in/.hidden", "in/_SUCCESS", "in/_manifest.json", "in/model.tar.gz"]
    for key in keys:
        desk.put_at(key, b"x")

    desk.run(echo)

    assert desk.keys("out/") == [f"out/{key.removeprefix('in/')}.out" for key in keys]


def test_a_request_never_holds_records_of_two_objects(desk: Desk) -> None:
    bodies = {f"in/{name}.csv": f"{name}\n".encode() * 3 for name in "abc"}
    for key, body in bodies.items():
        desk.put_at(key, body)
    url = desk.models.url("echo")

    desk.run(desk.model(url), **CSV)

    assert sorted(one.body for one in desk.models.sent_to(url)) == sorted(bodies.values())


def test_objects_of_one_request_each_are_in_flight_together(desk: Desk) -> None:
    for name in "abc":
        desk.put_at(f"in/{name}.png", b"x")
    together = threading.Barrier(3, timeout=20)

    def script(invocation: Invocation) -> Reply:
        together.wait()
        return 200, invocation.body

    job = desk.run(desk.model(desk.models.scripted(script)), MaxConcurrentTransforms=3)

    assert job["TransformJobStatus"] == "Completed"


def test_no_more_requests_are_in_flight_than_the_job_allows(desk: Desk) -> None:
    for number in range(12):
        desk.put_at(f"in/{number}", b"x")
    lock, now, most = threading.Lock(), [0], [0]

    def script(invocation: Invocation) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return 200, invocation.body

    desk.run(desk.model(desk.models.scripted(script)), MaxConcurrentTransforms=2)

    assert most[0] <= 2
    assert len(desk.keys("out/")) == 12
