"""Objects that have arrived in S3, as its notifications and EventBridge tell of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from airflow_batchtx.events.messages import Body, opened

# What S3 sends when a notification is configured, to see whether it may.
TEST = "s3:TestEvent"
_SOURCE, _ARRIVED = "aws.s3", "Object Created"
_RECORD_SOURCE, _RECORD_ARRIVED = "aws:s3", "ObjectCreated:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One write of one object. `size` in bytes, `time` in ISO 8601; None where it was not told."""

    bucket: str
    key: str
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    sequencer: str | None = None
    time: str | None = None

    @property
    def uri(self) -> str:
        """Where the object lies."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def id(self) -> str:
        """32 hexadecimal digits: the same however often and in which form this write is told of, others for another."""
        write = [self.version_id] if self.version_id else [self.sequencer, self.etag]
        return hashlib.sha256(json.dumps([self.bucket, self.key, *write]).encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "id": self.id,
            "uri": self.uri,
            "size": self.size,
            "etag": self.etag,
            "version_id": self.version_id,
            "time": self.time,
        }


def arrivals(body: Body) -> tuple[Arrival, ...]:
    """Give the objects that an event says have arrived: a notification of S3, or an event of EventBridge about it.

    None are told of by S3's test event, and by events about objects that are deleted, restored or tagged, nor by those
    about objects without a byte, which some write before the data, and the markers of folders: who took one for data
    would read the whole folder. ValueError says why a message is no event of S3.
    """
    return tuple(arrival for arrival in _all(body) if arrival.size != 0 and not arrival.key.endswith("/"))


def _all(body: Body) -> tuple[Arrival, ...]:
    said = opened(body)
    try:
        if said.get("Event") == TEST:
            return ()
        if said.get("Records"):
            return tuple(_of_notification(record) for record in said["Records"] if _tells_of_arrival(record))
        if said.get("source") == _SOURCE:
            return (_of_event(said),) if said["detail-type"] == _ARRIVED else ()
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"is no whole event of S3: {error!r}") from error
    raise ValueError("is no event of S3")


def _tells_of_arrival(record: Mapping[str, Any]) -> bool:
    if record["eventSource"] != _RECORD_SOURCE:
        raise ValueError(f"comes from {record['eventSource']}")
    return str(record["eventName"]).startswith(_RECORD_ARRIVED)


def _of_notification(record: Mapping[str, Any]) -> Arrival:
    told = record["s3"]["object"]
    # Keys are encoded as forms are, in notifications alone.
    return _arrival(record["s3"]["bucket"]["name"], unquote_plus(told["key"]), told, "versionId", record["eventTime"])


def _of_event(event: Mapping[str, Any]) -> Arrival:
    told = event["detail"]["object"]
    return _arrival(event["detail"]["bucket"]["name"], told["key"], told, "version-id", event["time"])


def _arrival(bucket: Any, key: Any, told: Mapping[str, Any], version: str, time: Any) -> Arrival:
    if not (isinstance(bucket, str) and bucket and isinstance(key, str) and key):
        raise ValueError("names no object")
    known_version = told.get(version)
    return Arrival(
        bucket=bucket,
        key=key,
        size=told.get("size"),
        etag=told.get("etag") or told.get("eTag"),
        # A bucket that has no versions calls each of them so.
        version_id=None if known_version == "null" else known_version,
        sequencer=told.get("sequencer"),
        time=str(time),
    )
