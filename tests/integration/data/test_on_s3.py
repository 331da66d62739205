"""The tasks against a real S3 server, over an Airflow connection."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS = 400_000


def score(s3: S3Client, bucket: str) -> None:
    """Answer every shard as a model that doubles would."""
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix="in/shards/")["Contents"]:
        shard = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        answers = b"".join(b"%d\n" % (2 * int(line)) for line in shard.split())
        s3.put_object(Bucket=bucket, Key=f"out/{entry['Key'].rpartition('/')[2]}.out", Body=answers)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_goes_through_s3_and_comes_back(s3_client: S3Client, bucket: str, connection: str, form: str) -> None:
    table = pa.table({"id": [f"customer {number:09}" for number in range(ROWS)], "x": range(ROWS)})
    file = io.BytesIO()
    if form == "csv":
        arrow_csv.write_csv(table, file)
    else:
        pq.write_table(table, file, row_group_size=100_000)
    s3_client.put_object(Bucket=bucket, Key=f"src/a.{form}", Body=file.getvalue())
    options: Any = {"aws_conn_id": connection}

    prepared = PrepareInputOperator(
        task_id="p",
        source=f"s3://{bucket}/src/",
        output=f"s3://{bucket}/in/",
        keep=["id"],
        shard_bytes=1024 * 1024,
        **options,
    ).execute({})
    score(s3_client, bucket)
    result = {"job_name": "j", "status": "Completed", "output": f"s3://{bucket}/out/", "input": prepared["input"]}
    result |= {"prepared": prepared["manifest"], "rows": prepared["rows"], "objects": prepared["shards"]}
    output = AssociateOutputOperator(task_id="a", result=result, output=f"s3://{bucket}/scored/", **options).execute({})

    keys = [entry["Key"] for entry in s3_client.list_objects_v2(Bucket=bucket, Prefix="scored/")["Contents"]]
    bodies = [s3_client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys if key.endswith(".parquet")]
    scored = pa.concat_tables(pq.read_table(io.BytesIO(body)) for body in bodies)
    assert prepared["shards"] == len(bodies) == output["parts"] > 2
    assert scored["id"].to_pylist() == table["id"].to_pylist()
    assert scored["prediction"].to_pylist() == [2 * number for number in range(ROWS)]


def test_a_dag_is_parsed_without_any_data_library() -> None:
    code = (
        "import sys, airflow_batchtx.operators.data; print({'pyarrow', 'pandas', 'numpy', 'moto'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip().endswith("set()")
