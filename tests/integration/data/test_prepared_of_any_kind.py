"""Prepare, a model, associate, where what is sent is no CSV: JSON Lines, and objects that are sent whole."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import AssociationError, StaleOutput
from airflow_batchtx.planning.transfers import output_of
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

OUT = S3Uri("b", "out/")


def transform(store: InMemoryStore, prepared: PreparedInput, model: Callable[[bytes], bytes]) -> dict[str, Any]:
    """Play a job, and tell its result as job control does."""
    manifest = PreparedManifest.read(store.get(S3Uri.parse(prepared.manifest)))
    base = len(S3Uri.parse(prepared.input).folder.key)
    for shard in manifest.shards:
        source = S3Uri.parse(shard.uri)
        store.put(output_of(source.key[base:], OUT), model(store.get(source)))
    return {
        "job_name": "j", "status": "Completed", "input": prepared.input, "output": str(OUT),
        "prepared": prepared.manifest, "rows": prepared.rows, "objects": prepared.shards,
        "content_type": prepared.content_type, "split_type": prepared.split_type,
    }  # fmt: skip


def table(store: InMemoryStore, result: dict[str, Any], **options: Any) -> pa.Table:
    associate(store, AssociateRequest.read({"result": result, "output": "s3://b/scored/", **options}))
    parts = [found.uri for found in store.objects(S3Uri("b", "scored/part-"))]
    return pa.concat_tables(pq.read_table(io.BytesIO(store.get(uri))) for uri in parts)


def test_rows_go_out_as_json_lines_and_come_back_beside_json_lines() -> None:
    file = io.BytesIO()
    rows = {"id": range(10), "x": [f"x,{number}" for number in range(10)], "nested": [[number] for number in range(10)]}
    pq.write_table(pa.table(rows), file)
    store = InMemoryStore({"s3://b/src/a.parquet": file.getvalue()})
    options = {"source": "s3://b/src/", "output": "s3://b/in/", "keep": ["id"], "shard_rows": 4}
    prepared = prepare(store, PrepareRequest.read(options | {"content_type": "application/jsonlines"}))

    def model(body: bytes) -> bytes:
        sent = [json.loads(line) for line in body.splitlines()]
        return b"".join(b'{"score":%d,"of":"%s"}\n' % (record["nested"][0], record["x"].encode()) for record in sent)

    scored = table(store, transform(store, prepared, model))

    assert scored.to_pydict() == {"id": list(rows["id"]), "score": list(range(10)), "of": rows["x"]}


IMAGES = {f"s3://b/pictures/{name}.png": b"\x89PNG" + name.encode() for name in ("a", "deep/b", "c")}


@pytest.fixture
def pictures() -> tuple[InMemoryStore, PreparedInput]:
    store = InMemoryStore(IMAGES | {"s3://b/labels.csv": b"object,label\nc.png,C\na.png,A\ndeep/b.png,B\n"})
    options = {"source": "s3://b/pictures/", "output": "s3://b/in/", "content_type": "image/png"}
    return store, prepare(store, PrepareRequest.read(options | {"keep_from": "s3://b/labels.csv"}))


def test_every_picture_stands_beside_its_answer(pictures: tuple[InMemoryStore, PreparedInput]) -> None:
    store, prepared = pictures
    result = transform(store, prepared, lambda body: json.dumps({"seen": body[4:].decode(), "p": [0.5]}).encode())

    scored = table(store, result, accept="application/json")

    assert scored["seen"].to_pylist() == ["a", "c", "deep/b"]
    assert scored["label"].to_pylist() == ["A", "C", "B"]
    assert [uri.rpartition("pictures/")[2] for uri in scored["object"].to_pylist()] == ["a.png", "c.png", "deep/b.png"]
    assert scored["p"].to_pylist() == ["[0.5]"] * 3


def test_a_picture_for_each_picture_is_bytes(pictures: tuple[InMemoryStore, PreparedInput]) -> None:
    store, prepared = pictures

    scored = table(store, transform(store, prepared, lambda body: body[::-1]), predictions="mask")

    assert scored["mask"].to_pylist() == [IMAGES[uri][::-1] for uri in sorted(IMAGES)]


def test_a_picture_that_changed_since_it_was_listed_is_refused(pictures: tuple[InMemoryStore, PreparedInput]) -> None:
    store, prepared = pictures
    result = transform(store, prepared, lambda body: b"[1]")
    store.put(S3Uri("b", "pictures/c.png"), b"\x89PNGother")

    with pytest.raises(StaleOutput) as caught:
        table(store, result, accept="application/json")

    assert caught.value.uri == "s3://b/pictures/c.png"


def test_what_sagemaker_has_joined_is_proved_and_stands_beside_what_was_kept() -> None:
    lines = "".join(f'{number},"x, {number}"\n' for number in range(10))
    store = InMemoryStore({"s3://b/src/a.csv": f"id,x\n{lines}".encode()})
    options = {"source": "s3://b/src/", "output": "s3://b/in/", "keep": ["id"], "shard_rows": 4}
    prepared = prepare(store, PrepareRequest.read(options))

    def joined(body: bytes) -> bytes:
        return b"".join(b"%s,0.%d\n" % (line, number + 1) for number, line in enumerate(body.splitlines()))

    result = transform(store, prepared, joined) | {"join_source": "Input"}

    scored = table(store, result, predictions="score")

    assert scored.to_pydict() == {
        "id": [str(number) for number in range(10)],
        "score": [0.1, 0.2, 0.3, 0.4] * 2 + [0.1, 0.2],
    }
    shards = [found.uri for found in store.objects(OUT)]
    store.put(shards[0], store.get(shards[1]))
    with pytest.raises(AssociationError, match="does not hold record 1") as caught:
        table(store, result, predictions="score")
    assert caught.value.uri == str(shards[0])
