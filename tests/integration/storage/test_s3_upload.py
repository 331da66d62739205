"""How S3Store writes, on a real S3 server: what it sends, and what stays when something goes wrong."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse

from airflow_batchtx.errors import AccessDenied, InvalidInput, StorageError
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.s3 import OPERATIONS, S3Store
from tests.conftest import s3_client_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
DENIED = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
DENIED_KEY = b"<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"


@pytest.fixture
def client(s3_endpoint: str) -> S3Client:
    """A client of this test's own, to hang event handlers on."""
    return s3_client_of(s3_endpoint, retries={"total_max_attempts": 1})


@pytest.fixture
def target(bucket: str) -> S3Uri:
    return S3Uri(bucket, "k")


class Body:
    """What AWSResponse reads."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.content


def answer_instead(client: S3Client, operation: str, status: int, content: bytes, *, after: int = 0) -> None:
    """Let the client see this answer to `operation`, from its call number `after` on."""
    calls = iter(range(10_000))

    def answered(request: Any, **_: object) -> AWSResponse | None:
        return AWSResponse(request.url, status, {}, Body(content)) if next(calls) >= after else None

    client.meta.events.register(f"before-send.s3.{operation}", answered)


def calls_of(client: S3Client, parameters: dict[str, dict[str, Any]] | None = None) -> Counter[str]:
    """Count the client's calls by operation from now on, and keep the parameters of the last of each."""
    counts: Counter[str] = Counter()

    def seen(params: dict[str, Any], model: Any, **_: object) -> None:
        counts[model.name] += 1
        if parameters is not None:
            parameters[model.name] = dict(params)

    client.meta.events.register("provide-client-params.s3", seen)
    return counts


def write(store: S3Store, target: S3Uri, size: int, **options: str) -> None:
    with store.writer(target, **options) as sink:
        for _ in range(size // MIB):
            sink.write(bytes(MIB))


def left_overs(client: S3Client, target: S3Uri) -> list[Any]:
    uploads = client.list_multipart_uploads(Bucket=target.bucket).get("Uploads", [])
    return [*uploads, *client.list_objects_v2(Bucket=target.bucket).get("Contents", [])]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (7 * MIB, {"PutObject": 1}),
        (20 * MIB, {"CreateMultipartUpload": 1, "UploadPart": 3, "CompleteMultipartUpload": 1}),
    ],
)
def test_small_objects_take_one_request_large_ones_parts(
    client: S3Client, target: S3Uri, size: int, expected: dict[str, int]
) -> None:
    calls = calls_of(client)
    write(S3Store(client), target, size)

    assert calls == expected


@pytest.mark.parametrize("size", [1 * MIB, 9 * MIB])
def test_content_type_and_key_reach_the_object(client: S3Client, target: S3Uri, size: int) -> None:
    write(S3Store(client), target, size, content_type="text/csv", kms_key_id="key-1")
    head = client.head_object(Bucket=target.bucket, Key=target.key)

    assert (head["ContentType"], head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("text/csv", "aws:kms", "key-1")


def part_number(params: dict[str, Any]) -> int:
    return int(params["query_string"]["partNumber"])


def test_two_parts_are_on_their_way_at_once(client: S3Client, target: S3Uri) -> None:
    both = threading.Barrier(2)

    def takes_off(params: dict[str, Any], **_: object) -> None:
        if part_number(params) in {1, 2}:
            both.wait(timeout=30)

    client.meta.events.register("before-call.s3.UploadPart", takes_off)
    write(S3Store(client), target, 20 * MIB)

    assert not both.broken


def test_a_writer_waits_while_two_parts_are_on_their_way(client: S3Client, target: S3Uri) -> None:
    ran_ahead, held = threading.Event(), threading.Event()

    def takes_off(params: dict[str, Any], **_: object) -> None:
        if part_number(params) == 1:
            ran_ahead.wait(timeout=0.3)
            held.set()

    client.meta.events.register("before-call.s3.UploadPart", takes_off)
    with S3Store(client).writer(target) as sink:
        for written in range(40):
            sink.write(bytes(MIB))
            if written >= 24 and not held.is_set():
                ran_ahead.set()

    assert not ran_ahead.is_set()


@pytest.mark.parametrize("piece", [MIB, 3 * MIB, 8 * MIB + 1, 20 * MIB])
def test_parts_are_full_whatever_the_pieces(client: S3Client, target: S3Uri, piece: int) -> None:
    sizes: dict[int, int] = {}

    def seen(params: dict[str, Any], **_: object) -> None:
        sizes[params["PartNumber"]] = len(params["Body"])

    client.meta.events.register("provide-client-params.s3.UploadPart", seen)
    with S3Store(client).writer(target) as sink:
        for start in range(0, 20 * MIB, piece):
            sink.write(bytes(min(piece, 20 * MIB - start)))

    assert sizes == {1: 8 * MIB, 2: 8 * MIB, 3: 4 * MIB}


def test_every_part_is_sealed_with_its_checksum(client: S3Client, target: S3Uri) -> None:
    sent: dict[str, dict[str, Any]] = {}
    calls_of(client, sent)
    write(S3Store(client), target, 20 * MIB)

    assert sent["CreateMultipartUpload"]["ChecksumAlgorithm"] == "CRC32"
    parts = sent["CompleteMultipartUpload"]["MultipartUpload"]["Parts"]
    assert [(part["PartNumber"], set(part)) for part in parts] == [
        (number, {"PartNumber", "ETag", "ChecksumCRC32"}) for number in (1, 2, 3)
    ]


def test_a_client_that_wants_no_checksums_sends_none(s3_endpoint: str, target: S3Uri) -> None:
    client = s3_client_of(s3_endpoint, request_checksum_calculation="when_required")
    sent: dict[str, dict[str, Any]] = {}
    calls_of(client, sent)
    write(S3Store(client), target, 20 * MIB)

    assert "ChecksumAlgorithm" not in sent["CreateMultipartUpload"]
    assert all(
        set(part) == {"PartNumber", "ETag"} for part in sent["CompleteMultipartUpload"]["MultipartUpload"]["Parts"]
    )


@pytest.mark.parametrize(("after", "size"), [(0, 40 * MIB), (1, 40 * MIB), (1, 16 * MIB), (2, 20 * MIB)])
def test_a_refused_part_leaves_nothing(
    client: S3Client, s3_client: S3Client, target: S3Uri, after: int, size: int
) -> None:
    answer_instead(client, "UploadPart", 403, DENIED, after=after)
    with pytest.raises(AccessDenied) as caught:
        write(S3Store(client), target, size)

    assert caught.value.uri == str(target)
    assert left_overs(s3_client, target) == []


def test_a_refused_part_is_not_forgotten(client: S3Client, s3_client: S3Client, target: S3Uri) -> None:
    answer_instead(client, "UploadPart", 403, DENIED)

    def write_on() -> None:
        with S3Store(client).writer(target) as sink:
            for _ in range(4):
                with suppress(AccessDenied):
                    sink.write(bytes(8 * MIB))

    with pytest.raises(AccessDenied):
        write_on()
    assert left_overs(s3_client, target) == []


@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "CompleteMultipartUpload"])
def test_a_refused_request_leaves_nothing(client: S3Client, s3_client: S3Client, target: S3Uri, operation: str) -> None:
    answer_instead(client, operation, 403, DENIED)
    with pytest.raises(AccessDenied):
        write(S3Store(client), target, MIB if operation == "PutObject" else 9 * MIB)

    assert left_overs(s3_client, target) == []


def test_giving_up_aborts_the_upload_after_its_last_part(client: S3Client, s3_client: S3Client, target: S3Uri) -> None:
    flying: list[str] = []
    flying_at_abort: list[list[str]] = []

    def give_up() -> None:
        with S3Store(client).writer(target) as sink:
            sink.write(bytes(30 * MIB))
            raise KeyboardInterrupt

    events = client.meta.events
    events.register("before-call.s3.UploadPart", lambda model, **_: flying.append(model.name))
    events.register("after-call.s3.UploadPart", lambda **_: flying.pop())
    events.register("before-call.s3.AbortMultipartUpload", lambda **_: flying_at_abort.append(list(flying)))
    with pytest.raises(KeyboardInterrupt):
        give_up()

    assert flying_at_abort == [[]]
    assert left_overs(s3_client, target) == []


def test_a_failed_abort_does_not_hide_the_reason(
    client: S3Client, target: S3Uri, caplog: pytest.LogCaptureFixture
) -> None:
    answer_instead(client, "CompleteMultipartUpload", 403, DENIED)
    answer_instead(client, "AbortMultipartUpload", 500, b"")
    with pytest.raises(AccessDenied):
        write(S3Store(client), target, 9 * MIB)

    assert "stays in S3 until it is aborted" in caplog.text


EVERYTHING: list[Callable[[S3Store, S3Uri], object]] = [
    lambda store, uri: write(store, uri, 9 * MIB),
    lambda store, uri: store.put(uri, b""),
    lambda store, uri: store.get(uri),
    lambda store, uri: list(store.objects(uri)),
    lambda store, uri: store.stat(uri),
    lambda store, uri: store.delete([uri]),
]


def test_extra_arguments_go_with_the_requests_that_know_them(client: S3Client, target: S3Uri) -> None:
    extra = {"RequestPayer": "requester", "ExpectedBucketOwner": "1" * 12, "StorageClass": "STANDARD_IA"}
    sent: dict[str, dict[str, Any]] = {}
    calls_of(client, sent)
    store = S3Store(client, extra_args=extra)
    for act in EVERYTHING:
        act(store, target)

    assert set(sent) == set(OPERATIONS) - {"HeadBucket", "AbortMultipartUpload"}
    assert all(params["ExpectedBucketOwner"] == "1" * 12 for params in sent.values())
    assert {name for name, params in sent.items() if "StorageClass" in params} == {"PutObject", "CreateMultipartUpload"}
    assert {name for name, params in sent.items() if "RequestPayer" not in params} == set()


def test_extra_arguments_that_nothing_takes_are_refused_at_once(client: S3Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        S3Store(client, extra_args={"RequestPayr": "requester", "Bucket": "b", "RequestPayer": "requester"})

    assert [problem.field for problem in caught.value.problems] == ["RequestPayr", "Bucket"]


def test_a_key_that_could_not_be_deleted_is_an_error(client: S3Client, target: S3Uri) -> None:
    answer_instead(client, "DeleteObjects", 200, DENIED_KEY)
    with pytest.raises(AccessDenied) as caught:
        S3Store(client).delete([target, S3Uri(target.bucket, "b")])

    assert caught.value.uri == f"s3://{target.bucket}/b"


def test_objects_are_deleted_a_thousand_at_a_time_bucket_by_bucket(client: S3Client, s3_client: S3Client) -> None:
    s3_client.create_bucket(Bucket="one-bucket")
    s3_client.create_bucket(Bucket="other-bucket")
    calls = calls_of(client)
    S3Store(client).delete(S3Uri(bucket, str(n)) for bucket in ("one-bucket", "other-bucket") for n in range(1_001))

    assert calls == {"DeleteObjects": 4}


def test_no_server_is_an_error_with_its_name() -> None:
    nobody = s3_client_of("http://127.0.0.1:1", retries={"total_max_attempts": 1})
    with pytest.raises(StorageError) as caught:
        S3Store(nobody).get(S3Uri("b", "k"))

    assert caught.value.code == "EndpointConnectionError"
