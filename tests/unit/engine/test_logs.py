from __future__ import annotations

from pathlib import Path

from airflow_batchtx.engine.logs import FileLogs, object_lines, stamped
from airflow_batchtx.spec.uri import S3Uri


def test_a_line_is_stamped_as_sagemaker_does() -> None:
    line = stamped(1585035682.833, "MaxConcurrentTransforms=4, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD")

    assert line == (
        "2020-03-24T07:41:22.833:[sagemaker logs]: MaxConcurrentTransforms=4, MaxPayloadInMB=6,"
        " BatchStrategy=MULTI_RECORD"
    )
    assert stamped(0, "x").startswith("1970-01-01T00:00:00.000:")


def test_what_is_said_of_an_object() -> None:
    source = S3Uri("bucket", "a/b.csv")

    assert list(object_lines(source, "ClientError: 400", "one\ntwo")) == [
        "bucket/a/b.csv: ClientError: 400",
        "bucket/a/b.csv:",
        "bucket/a/b.csv: Message:",
        "bucket/a/b.csv: one",
        "bucket/a/b.csv: two",
    ]
    assert list(object_lines(source, "too large")) == ["bucket/a/b.csv: too large"]


def test_streams_are_files(tmp_path: Path) -> None:
    logs = FileLogs(tmp_path / "logs", lambda: 0.0)

    logs.data_log("i-1-2", "one")
    logs.data_log("i-1-2", "two")

    assert logs.container_log("i-1-2") == tmp_path / "logs" / "i-1-2.log"
    told = (tmp_path / "logs" / "i-1-2" / "data-log").read_text().splitlines()
    assert told == [stamped(0, "one"), stamped(0, "two")]
