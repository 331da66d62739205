"""
### Which kinds of customers are there?

Puts every customer into one of four segments. The customers lie in many folders, and many tasks share the work.

| task | how many | does |
|---|---|---|
| `folders` | 1 | lists the folders that are there today |
| `prepare` | one a folder | writes the shards of its folder |
| `transform` | 1 | one job over all shards, on two instances |
| `associate` | 4 | write a quarter each of one and the same table, `segments/` |

It runs unchanged on AWS and on the local engine, after `batchtx seed customer-segmentation`, with the Airflow Variable
`batchtx_bucket` and the connection `aws_default`.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_batchtx import TransformJob
from airflow_batchtx.task_groups import scoring

BUCKET = "{{ var.value.batchtx_bucket }}"
HOME = f"s3://{BUCKET}/customer-segmentation"
DAY = HOME + "/day={{ dag_run.run_after | ds }}"


@task
def folders(bucket: str) -> list[str]:
    """List the folders of customers."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    found = S3Hook().list_prefixes(bucket, prefix="customer-segmentation/source/", delimiter="/")
    return [f"s3://{bucket}/{folder}" for folder in found]


with DAG(
    "customer_segmentation",
    schedule="@monthly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # two runs of a day write to the same folders
    doc_md=__doc__,
    tags=["batchtx"],
):
    scoring(
        source=folders(BUCKET),
        mapped=True,
        shares=4,
        columns=["tenure", "monthly_charges", "total_charges"],
        keep=["customer", "contract", "left"],
        job=TransformJob(
            model_name="customer-segments",
            input=f"{DAY}/in/",
            output=f"{DAY}/out/",
            content_type="text/csv",
            accept="text/csv",
            instance_type="ml.m5.large",
            instance_count=2,
        ),
        output=f"{DAY}/segments/",
        prepare={"types": {"customer": "int64"}, "fill": {"total_charges": 0}},
        transform={"deferrable": True},
        associate={"predictions": {"segment": "int64", "distance": "double"}},
    )
