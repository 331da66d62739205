"""A task whose table several processes write, against a real S3 server, over an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batchtx.operators.data import AssociateOutputOperator, shares

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS = 2_000


def written(s3: S3Client, bucket: str) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket=bucket, Prefix="scored/")["Contents"]
    return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}


def test_processes_and_shares_write_what_one_task_writes(s3_client: S3Client, bucket: str, connection: str) -> None:
    for number in range(4):
        rows = b"".join(b"%d,a%d\n" % (row, row) for row in range(ROWS))
        s3_client.put_object(Bucket=bucket, Key=f"in/{number}.csv", Body=rows)
        answers = b"".join(b"%d.5\n" % (row * number) for row in range(ROWS))
        s3_client.put_object(Bucket=bucket, Key=f"out/{number}.csv.out", Body=answers)
    options: Any = {
        "input": f"s3://{bucket}/in/",
        "answers": f"s3://{bucket}/out/",
        "output": f"s3://{bucket}/scored/",
        "input_columns": ["id", "name"],
        "predictions": {"score": "double"},
        "format": "csv",
        "aws_conn_id": connection,
    }

    told = AssociateOutputOperator(task_id="a", **options).execute({})
    one = written(s3_client, bucket)
    assert (told["rows"], told["parts"]) == (4 * ROWS, 4)
    AssociateOutputOperator(task_id="a", processes=2, **options).execute({})
    assert written(s3_client, bucket) == one

    for share in shares(2):
        AssociateOutputOperator(task_id="a", share=share, processes=2, **options).execute({})
    assert written(s3_client, bucket) == one
