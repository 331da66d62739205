from __future__ import annotations

import json

import pytest

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.manifest import PreparedManifest, Shard, SourceObject

MANIFEST = PreparedManifest(
    input="s3://b/in/shards/",
    content_type="text/csv",
    split_type="Line",
    columns=("x", "ü"),
    kept={"id": "int64"},
    source=(SourceObject(uri="s3://b/a.csv", size=9, etag='"e"'),),
    shards=tuple(Shard(uri=f"s3://b/in/shards/{n}", rows=n, bytes=2, sha256="00", kept=None) for n in (1, 2)),
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert PreparedManifest.read(MANIFEST.to_json()) == MANIFEST
    assert MANIFEST.rows == 3


def test_members_of_later_versions_are_ignored() -> None:
    value = json.loads(MANIFEST.to_json())
    value["new"] = value["shards"][0]["new"] = 1

    assert PreparedManifest.read(json.dumps(value).encode()) == MANIFEST


def test_what_an_earlier_version_left_out_has_its_default() -> None:
    value = json.loads(MANIFEST.to_json())
    del value["why"], value["shards"][0]["etag"], value["shards"][1]["kept_row"]

    assert PreparedManifest.read(json.dumps(value).encode()) == MANIFEST


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", MANIFEST.to_json()[:-9]])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        PreparedManifest.read(body)
