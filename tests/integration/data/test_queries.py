"""Queries over Airflow's connections to a real database."""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.errors import InvalidData, InvalidInput
from airflow_batchtx.hooks.queries import query_over
from airflow_batchtx.operators.data import PrepareInputOperator

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS = 25_000


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """A database that Airflow's connection `warehouse` leads to; it is no SQLite that `lake` leads to."""
    place = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(place)}))
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, age INTEGER, name TEXT, score REAL)")
    values = [
        (2**62 + number, None if number % 7 == 0 else number % 90, f'n "{number}", x', number / 8)
        for number in range(ROWS)
    ]
    connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", values)
    connection.commit()
    return connection


def task(bucket: str, connection: str, sql: str, **options: Any) -> PrepareInputOperator:
    given: Any = {
        "sql": sql,
        "sql_conn_id": "warehouse",
        "output": f"s3://{bucket}/in/",
        "aws_conn_id": connection,
        **options,
    }
    return PrepareInputOperator(task_id="prepare", **given)


def bodies(s3: S3Client, bucket: str, folder: str) -> list[bytes]:
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"in/{folder}/").get("Contents", [])
    return [s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed]


def test_the_rows_of_a_query_become_shards(
    database: sqlite3.Connection, s3_client: S3Client, bucket: str, connection: str
) -> None:
    sql = "SELECT id, age, name, score FROM customers ORDER BY id"

    found = task(bucket, connection, sql, keep=["id", "name"], fill={"age": -1}, min_shards=4).execute({})

    assert (found["rows"], found["quarantined"]) == (ROWS, 0)
    assert found["shards"] >= 4
    lines = b"".join(bodies(s3_client, bucket, "shards")).decode().splitlines()
    expected = [f"{-1 if number % 7 == 0 else number % 90},{number / 8}" for number in range(ROWS)]
    assert [tuple(map(float, line.split(","))) for line in lines] == [
        tuple(map(float, line.split(","))) for line in expected
    ]
    kept = pa.concat_tables(pq.read_table(io.BytesIO(body)) for body in bodies(s3_client, bucket, "kept"))
    assert kept["id"].to_pylist() == [2**62 + number for number in range(ROWS)]
    assert kept["name"][3].as_py() == 'n "3", x'


def test_rows_that_are_not_as_the_first_ones_are_set_aside(
    database: sqlite3.Connection, s3_client: S3Client, bucket: str, connection: str
) -> None:
    with database:
        database.execute("INSERT INTO customers VALUES (9223372036854775807, 'unknown', 'last', 1.5)")
    sql = "SELECT id, age FROM customers ORDER BY id"

    with pytest.raises(InvalidData, match="unknown"):
        task(bucket, connection, sql, keep=["id"]).execute({})
    found = task(bucket, connection, sql, keep=["id"], max_quarantined="0.1%").execute({})

    assert (found["rows"], found["quarantined"]) == (ROWS, 1)
    [body] = bodies(s3_client, bucket, "quarantine")
    [row] = pq.read_table(io.BytesIO(body)).to_pylist()
    assert (row["source"], row["row"], row["column"], row["value"]) == ("sql", ROWS + 1, "age", "unknown")


def test_a_query_that_finds_nothing_is_refused(
    database: sqlite3.Connection, s3_client: S3Client, bucket: str, connection: str
) -> None:
    with pytest.raises(InvalidData, match="holds no rows"):
        task(bucket, connection, "SELECT id, age FROM customers WHERE id < 0").execute({})
    assert not bodies(s3_client, bucket, "shards")


def test_what_the_database_refuses_is_told_in_its_words(
    database: sqlite3.Connection, s3_client: S3Client, bucket: str, connection: str
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        task(bucket, connection, "SELECT * FROM nowhere").execute({})


def test_a_connection_to_no_database_is_refused(connection: str) -> None:
    with pytest.raises(InvalidInput) as caught, query_over(connection, "SELECT 1"):
        pass

    assert [problem.field for problem in caught.value.problems] == ["sql_conn_id"]


def test_a_query_is_not_prepared_beside_a_source() -> None:
    options: Any = {"task_id": "p", "output": "s3://b/in/", "sql": "SELECT 1"}
    with pytest.raises(InvalidInput) as caught:
        PrepareInputOperator(**options, source="s3://b/src/", sql_conn_id="warehouse")
    assert [problem.field for problem in caught.value.problems] == ["sql"]
    with pytest.raises(InvalidInput) as caught:
        PrepareInputOperator(**options)
    assert [problem.field for problem in caught.value.problems] == ["sql_conn_id"]
