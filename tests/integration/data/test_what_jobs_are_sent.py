"""What prepare writes, sent through the real engine to a model that really reads it, and associated."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator
from airflow_batchtx.spec.manifest import PreparedManifest
from tests.engines import Desk, Invocation, Reply
from tests.fake_airflow import FakeTaskInstance
from tests.integration.engine.test_running import archive

# A model of images: it looks at the picture, and answers in JSON.
IMAGES = """
import json, struct, zlib
def model_fn(model_dir):
    return None
def input_fn(data, content_type):
    assert content_type == "image/png" and data[:8] == b"\\x89PNG\\r\\n\\x1a\\n"
    width, height = struct.unpack(">II", data[16:24])
    start = data.index(b"IDAT")
    size, = struct.unpack(">I", data[start - 4 : start])
    pixels = zlib.decompress(data[start + 4 : start + 4 + size])
    return {"width": width, "height": height, "light": sum(pixels) / (width * height)}
def predict_fn(picture, model):
    return picture
def output_fn(picture, accept):
    return json.dumps(picture), "application/json"
"""
SIZES = {"cat.png": (3, 2, 10), "deep/dog.png": (4, 4, 200), "fox.png": (1, 9, 0)}


def png(width: int, height: int, light: int) -> bytes:
    """Make a picture in one shade of grey."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + bytes([light] * width)) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Tasks:
    """The tasks of a DAG over one bucket."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.home = desk, f"s3://{desk.bucket}"

    def prepare(self, index: int = -1, **options: Any) -> dict[str, Any]:
        task = PrepareInputOperator(task_id="prepare", **{"output": f"{self.home}/staged/", **options})
        ti: Any = FakeTaskInstance(task_id="prepare", map_index=index)
        return task.execute({"ti": ti})

    def transform(self, model: str, prepared: Any, **members: Any) -> dict[str, Any]:
        job = TransformJob(
            model_name=model, input=prepared, output=f"{self.home}/out/", instance_type="ml.m5.large", **members
        )
        task = BatchTransformOperator(task_id="transform", job=job, deferrable=False, poll_interval=0.5)
        ti: Any = FakeTaskInstance(task_id="transform", run_id=self.desk.bucket)
        return task.execute({"ti": ti})

    def associate(self, result: dict[str, Any], **options: Any) -> pa.Table:
        values: Any = {"result": result, "output": f"{self.home}/scored/", **options}
        AssociateOutputOperator(task_id="associate", **values).execute({})
        bodies = [self.desk.get(key) for key in self.desk.keys("scored/part-")]
        return pa.concat_tables(pq.read_table(io.BytesIO(body)) for body in bodies)

    def manifest(self, uri: str) -> PreparedManifest:
        return PreparedManifest.read(self.desk.get(uri.removeprefix(f"{self.home}/")))


@pytest.fixture
def tasks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Tasks:
    environment = {
        "AWS_ENDPOINT_URL": desk.engine.storage, "AWS_ENDPOINT_URL_SAGEMAKER": desk.engine.url,
        "NO_PROXY": "127.0.0.1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing", "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Tasks(desk)


def test_pictures_go_to_a_model_of_pictures(tasks: Tasks) -> None:
    desk = tasks.desk
    for name, size in SIZES.items():
        desk.put_at(f"pictures/{name}", png(*size))
    desk.put_at("pictures/_SUCCESS", b"")
    desk.put_at("labels.csv", "object,label\n" + "".join(f"{name},{PurePosixPath(name).stem}\n" for name in SIZES))
    desk.put_at("model.tar.gz", archive(code__inference=IMAGES))
    model = desk.model("image", ModelDataUrl=f"{tasks.home}/model.tar.gz")

    prepared = tasks.prepare(
        source=f"{tasks.home}/pictures/", content_type="image/png", keep_from=f"{tasks.home}/labels.csv"
    )
    result = tasks.transform(model, prepared, instance_count=2, accept="application/json")

    assert (result["rows"], result["objects"], result["objects_done"]) == (3, 3, 3)
    answers = {name: json.loads(desk.get(f"out/{name}.out")) for name in SIZES}
    assert answers == {
        name: {"width": width, "height": height, "light": float(light)}
        for name, (width, height, light) in SIZES.items()
    }
    scored = {row["object"]: row for row in tasks.associate(result).to_pylist()}
    assert {uri: (row["label"], row["width"], row["height"], row["light"]) for uri, row in scored.items()} == {
        f"{tasks.home}/pictures/{name}": (PurePosixPath(name).stem, *size) for name, size in SIZES.items()
    }


def sums(invocation: Invocation) -> Reply:
    """Answer every record with a document: the sum of its numbers."""
    assert invocation.headers["Content-Type"] == "application/jsonlines"
    records = [json.loads(line) for line in invocation.body.splitlines()]
    return 200, b"".join(b'{"sum":%d}\n' % sum(record["features"]) for record in records)


def test_records_of_json_go_to_a_model_that_takes_them(tasks: Tasks) -> None:
    table = pa.table({"id": range(500), "x": range(500), "y": [2**60 + number for number in range(500)]})
    file = io.BytesIO()
    pq.write_table(table, file)
    tasks.desk.put_at("lake/a.parquet", file.getvalue())

    prepared = tasks.prepare(
        source=f"{tasks.home}/lake/", keep=["id"], content_type="application/jsonlines", record="features",
        instance_count=2, max_payload_in_mb=1,
    )  # fmt: skip
    model = tasks.desk.model(tasks.desk.models.scripted(sums))
    result = tasks.transform(model, prepared, instance_count=2, batch_strategy="MultiRecord")

    assert (result["rows"], result["objects_done"], result["accept"]) == (500, 2, "application/jsonlines")
    assert tasks.associate(result).to_pydict() == {
        "id": list(range(500)), "sum": [2**60 + 2 * number for number in range(500)],
    }  # fmt: skip


def lengths(invocation: Invocation) -> Reply:
    return 200, b"".join(b"%d\n" % len(line) for line in invocation.body.splitlines())


def test_what_the_instances_of_a_mapped_task_prepare_is_scored_by_one_job(tasks: Tasks) -> None:
    desk = tasks.desk
    days = {day: [(f"{day}-{row}", "x" * (row + day)) for row in range(4 + day)] for day in range(3)}
    for day, rows in days.items():
        desk.put_at(f"lake/{day}.csv", "id,text\n" + "".join(f"{key},{text}\n" for key, text in rows))

    order = (2, 0, 1)
    prepared = [tasks.prepare(day, source=f"{tasks.home}/lake/{day}.csv", keep=["id"], shard_rows=3) for day in order]
    model = desk.model(desk.models.scripted(lengths))
    result = tasks.transform(model, prepared, instance_count=2, batch_strategy="MultiRecord")

    assert [one["manifest"] for one in prepared] == [
        f"{tasks.home}/staged/map-0000{day}/manifest.json" for day in order
    ]
    # An empty cell is quoted, so that there is a line.
    expected = [(key, len(text) or 2) for day in order for key, text in days[day]]
    assert (result["rows"], result["objects_done"]) == (len(expected), result["objects"])
    assert tasks.manifest(result["prepared"]).rows == len(expected)
    scored = tasks.associate(result).to_pydict()
    assert list(zip(scored["id"], scored["prediction"], strict=True)) == expected
