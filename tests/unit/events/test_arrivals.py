"""What S3 says of objects that have arrived, in all the forms in which it says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.events.arrivals import Arrival, arrivals

# As the S3 user guide shows them, shortened by what nobody reads.
NOTIFICATION: dict[str, Any] = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "eu-west-1",
    "eventTime": "2026-11-26T08:00:00.000Z",
    "eventName": "ObjectCreated:Put",
    "s3": {
        "s3SchemaVersion": "1.0",
        "configurationId": "batchtx-arrivals",
        "bucket": {"name": "lake", "arn": "arn:aws:s3:::lake"},
        "object": {
            "key": "in/day%3D1/a+b%C3%BC.csv",
            "size": 1024,
            "eTag": "0123456789abcdef0123456789abcdef",
            "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
            "sequencer": "0055AED6DCD90281E5",
        },
    },
}
EVENT: dict[str, Any] = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "time": "2026-11-26T08:00:00Z",
    "detail": {
        "version": "0",
        "bucket": {"name": "lake"},
        "object": {
            "key": "in/day=1/a bü.csv",
            "size": 1024,
            "etag": "0123456789abcdef0123456789abcdef",
            "version-id": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
            "sequencer": "0055AED6DCD90281E5",
        },
        "reason": "PutObject",
    },
}
TEST = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2014-10-13T15:57:02.089Z", "Bucket": "lake"}
OF_ALL = Arrival(
    bucket="lake",
    key="in/day=1/a bü.csv",
    size=1024,
    etag="0123456789abcdef0123456789abcdef",
    version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko",
    sequencer="0055AED6DCD90281E5",
    time="2026-11-26T08:00:00.000Z",
)


def notified(**members: Any) -> dict[str, Any]:
    """A notification about one object, with other members of it."""
    record = json.loads(json.dumps(NOTIFICATION))
    record["s3"]["object"].update(members)
    return {"Records": [record]}


def from_sns(message: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": json.dumps(message)}


def named(name: str) -> dict[str, Any]:
    return {"Records": [{**NOTIFICATION, "eventName": name}]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"Records": [NOTIFICATION]}, [OF_ALL]),
        (EVENT, [replace(OF_ALL, time="2026-11-26T08:00:00Z")]),
        (from_sns({"Records": [NOTIFICATION]}), [OF_ALL]),
        ({"Records": [NOTIFICATION, *notified(key="b.csv")["Records"]]}, [OF_ALL, replace(OF_ALL, key="b.csv")]),
        (named("ObjectCreated:CompleteMultipartUpload"), [OF_ALL]),
        (notified(key="in/a+folder/"), []),
        (notified(size=0), []),
        ({**EVENT, "detail": {**EVENT["detail"], "object": {"key": "in/"}}}, []),
        (named("ObjectRemoved:Delete"), []),
        (named("ObjectRestore:Completed"), []),
        ({**EVENT, "detail-type": "Object Deleted"}, []),
        (TEST, []),
        (from_sns(TEST), []),
    ],
    ids=str,
)
def test_every_form_is_read(body: dict[str, Any], expected: list[Arrival]) -> None:
    assert list(arrivals(json.dumps(body))) == expected
    assert list(arrivals(body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "7",
        '"text"',
        "{}",
        "[" * 100_000,
        '{"Records": []}',
        '{"Records": ["text"]}',
        '{"Records": 7}',
        json.dumps({"Records": [{**NOTIFICATION, "eventSource": "aws:sqs"}]}),
        json.dumps({"Records": [{**NOTIFICATION, "s3": {}}]}),
        json.dumps(notified(key="")),
        json.dumps(notified(key=None)),
        json.dumps({**EVENT, "detail": None}),
        json.dumps({**EVENT, "source": "aws.sagemaker"}),
        json.dumps({"Type": "Notification", "Message": "{"}),
    ],
    ids=lambda body: body[:40],
)
def test_anything_else_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        arrivals(body)


MEMBERS = st.sampled_from(
    ["Records", "s3", "object", "key", "bucket", "name", "detail", "source", "Event", "eventName"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["aws:s3", "aws.s3"])


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(MEMBERS, inner)))
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    try:
        assert all(isinstance(one, Arrival) for one in arrivals(json.dumps(value)))
    except ValueError:
        """It is none."""


# ---------------------------------------------------------------------------------------------------------- identity


def only(body: dict[str, Any]) -> Arrival:
    (found,) = arrivals(body)
    return found


def test_one_write_has_one_id_in_both_forms() -> None:
    assert only({"Records": [NOTIFICATION]}).id == only(EVENT).id


def test_a_bucket_without_versions_tells_writes_apart_by_sequencer() -> None:
    plain = {"versionId": None}
    first = only(notified(**plain)).id

    assert only(notified(**plain)).id == first
    assert only(notified(versionId="null")).id == first
    assert only(notified(**plain, sequencer="0055AED6DCD90281E6")).id != first


def test_other_objects_and_versions_have_other_ids() -> None:
    ids = [only(notified(**one)).id for one in ({}, {"key": "b.csv"}, {"versionId": "another"})]

    assert len(set(ids)) == len(ids)


def test_what_is_told_of_it_is_json_with_its_address() -> None:
    told = json.loads(json.dumps(OF_ALL.to_dict()))

    assert told["uri"] == "s3://lake/in/day=1/a bü.csv"
    assert told["id"] == OF_ALL.id
    assert (told["size"], told["version_id"]) == (1024, OF_ALL.version_id)
