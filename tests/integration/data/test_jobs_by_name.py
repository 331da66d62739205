"""Jobs that plain boto3 made on the real engine, whatever they do to their records: a table by the job's name alone."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.operators.data import AssociateOutputOperator
from tests.engines import Desk, Invocation, Reply


@pytest.fixture(autouse=True)
def _connected(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "AWS_ENDPOINT_URL": desk.engine.storage, "AWS_ENDPOINT_URL_SAGEMAKER": desk.engine.url,
        "NO_PROXY": "127.0.0.1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing", "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def in_csv(invocation: Invocation) -> Reply:
    return 200, b"".join(b"%d\n" % len(line) for line in invocation.body.splitlines())


def in_lines(invocation: Invocation) -> Reply:
    sent = [json.loads(line) for line in invocation.body.splitlines()]
    return 200, b"".join(b'{"length":%d}\n' % len(record["text"]) for record in sent)


def in_lists(invocation: Invocation) -> Reply:
    return 200, json.dumps({"predictions": [[len(line), 0.5] for line in invocation.body.splitlines()]}).encode()


def in_one(invocation: Invocation) -> Reply:
    return 200, json.dumps({"label": invocation.body.decode(errors="replace")[-1], "scores": [0.25]}).encode()


def scored(
    desk: Desk, script: Any, objects: dict[str, bytes], options: dict[str, Any], **members: Any
) -> dict[str, Any]:
    for name, body in objects.items():
        desk.put_at(f"in/{name}", body)
    described = desk.run(desk.model(desk.models.scripted(script)), **members)
    assert described["TransformJobStatus"] == "Completed", described
    AssociateOutputOperator(
        task_id="a", job_name=described["TransformJobName"], output=f"s3://{desk.bucket}/scored/", **options
    ).execute({})
    bodies = [desk.get(key) for key in desk.keys("scored/part-")]
    return pa.concat_tables(pq.read_table(io.BytesIO(body)) for body in bodies).to_pydict()


CSV: dict[str, Any] = {"ContentType": "text/csv", "Accept": "text/csv", "SplitType": "Line", "AssembleWith": "Line"}
LINES = CSV | {"ContentType": "application/jsonlines", "Accept": "application/jsonlines"}
JOIN = {"DataProcessing": {"JoinSource": "Input"}}


def test_a_join_of_csv_is_proved(desk: Desk) -> None:
    objects = {"a.csv": b'7,"x,y"\n8,zz\n', "b.csv": b"9,w\n"}
    options = {"input_columns": ["id", "text"], "predictions": ["length"]}

    found = scored(desk, in_csv, objects, options, **CSV, **JOIN)

    assert found == {"id": [7, 8, 9], "text": ["x,y", "zz", "w"], "length": [7, 4, 3]}


def test_a_filtered_join_is_named_and_counted(desk: Desk) -> None:
    processing = {"DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}}
    options = {"input_columns": ["id"], "predictions": ["length"]}

    found = scored(desk, in_csv, {"a.csv": b"7,x\n8,zz\n"}, options, **CSV, **processing)

    assert found == {"id": [7, 8], "length": [1, 2]}


def test_a_join_of_json_lines_is_proved(desk: Desk) -> None:
    sent = b'{"id": 1.50, "text": "a"}\n{"text": "bcd", "id": 2}\n'

    found = scored(desk, in_lines, {"a.jsonl": sent}, {"input_columns": ["id"]}, **LINES, **JOIN)

    assert found == {"id": [1.5, 2.0], "length": [1, 3]}


def test_lists_of_many_requests_are_one_column_each(desk: Desk) -> None:
    lines = b"".join(b"%s\n" % (b"x" * (number % 5 + 1)) for number in range(400_000))
    members = CSV | {"Accept": "application/json", "AssembleWith": "None", "MaxPayloadInMB": 1}

    found = scored(desk, in_lists, {"a.csv": lines}, {"predictions": ["length", "half"]}, **members)

    assert found["length"] == [number % 5 + 1 for number in range(400_000)]
    assert set(found["half"]) == {0.5}


def test_gzip_is_read_as_the_model_saw_it(desk: Desk) -> None:
    objects = {"a.csv.gz": gzip.compress(b"7,x\n8,zz\n")}

    found = scored(desk, in_csv, objects, {"input_columns": ["id", "text"]}, **CSV, CompressionType="Gzip")

    assert found == {"id": [7, 8], "text": ["x", "zz"], "prediction": [3, 4]}


def test_pictures_have_an_answer_each(desk: Desk) -> None:
    objects = {f"{number}.png": b"\x89PNG%d" % number for number in range(3)}

    found = scored(desk, in_one, objects, {}, ContentType="image/png", Accept="application/json")

    assert found["label"] == ["0", "1", "2"]
    assert found["scores"] == ["[0.25]"] * 3
    assert [uri.rpartition("/")[2] for uri in found["input_object"]] == ["0.png", "1.png", "2.png"]


def test_what_a_manifest_names_is_read(desk: Desk) -> None:
    desk.put_at("m.json", json.dumps([{"prefix": f"s3://{desk.bucket}/in/"}, "deep/b.csv", "a.csv"]))
    objects = {"a.csv": b"x\n", "deep/b.csv": b"yy\nzzz\n", "c.csv": b"wwww\n"}
    source = {"S3DataType": "ManifestFile", "S3Uri": f"s3://{desk.bucket}/m.json"}

    found = scored(desk, in_csv, objects, {"input_columns": "text"}, **CSV, **source)

    assert found == {"text": ["x", "yy", "zzz"], "prediction": [1, 2, 3]}
