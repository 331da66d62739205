from __future__ import annotations

import json

import pytest

from airflow_batchtx.engine import protocol
from airflow_batchtx.errors import RequestRefused

KNOWN = {"ListModels"}
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/ap-southeast-2/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
)


def test_the_operation_is_in_the_target() -> None:
    assert protocol.operation_name({"x-amz-target": "SageMaker.ListModels"}, KNOWN) == "ListModels"


@pytest.mark.parametrize("headers", [{}, {"x-amz-target": "SageMaker.ListApps"}, {"x-amz-target": "S3.ListModels"}])
def test_targets_that_are_not_known(headers: dict[str, str]) -> None:
    with pytest.raises(RequestRefused) as caught:
        protocol.operation_name(headers, KNOWN)

    assert caught.value.code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("headers", "region"),
    [({"authorization": SIGNED}, "ap-southeast-2"), ({}, "here"), ({"authorization": "Bearer x"}, "here")],
)
def test_the_region_is_the_one_that_was_signed_for(headers: dict[str, str], region: str) -> None:
    assert protocol.region(headers, "here") == region


BODIES = {
    "cut": b"{",
    "no text": b"\xff",
    "two": b"{} {}",
    "deep": b"[" * 100_000,
    "half a character, escaped": rb'{"Environment": {"A": "\ud800"}}',
    "half a character": b'{"\xed\xa0\x80": 1}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_json(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        protocol.decoded(body)

    assert caught.value.code == "SerializationException"


def test_no_body_is_an_empty_request() -> None:
    assert protocol.decoded(b"") == {}


def test_a_whole_character_may_be_escaped_in_two_halves() -> None:
    assert protocol.decoded(rb'["\ud83d\ude00"]') == ["\N{GRINNING FACE}"]


def test_an_answer() -> None:
    answer = protocol.success({"CreationTime": 1662495635.679, "Name": "ü"}, "id")

    assert answer.body == '{"CreationTime":1662495635.679,"Name":"ü"}'.encode()
    assert answer.headers == {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "id"}
    assert protocol.success(None, "id").body == b""


@pytest.mark.parametrize(("code", "member"), [("ValidationException", "message"), ("ResourceInUse", "Message")])
def test_a_refusal(code: str, member: str) -> None:
    answer = protocol.failure(RequestRefused(code, "why"), "id")

    assert (answer.status, json.loads(answer.body)) == (400, {"__type": code, member: "why"})
