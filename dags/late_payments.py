"""
### Who will pay late?

Prepares 20,000 credit card holders for a model, scores them with a SageMaker Batch Transform job, and joins each
score with its holder again.

| task | reads | writes |
|---|---|---|
| `prepare` | `source/` (CSV with a header) | headerless shards for the model, and the kept columns beside |
| `transform` | the shards | one score a row |
| `associate` | kept columns and scores | `scored/`: one Parquet table, rows in = rows out |

It runs unchanged on AWS and on the local engine. It needs the Airflow Variable `batchtx_bucket` and a SageMaker
model named `late-payments`.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator

HOME = "s3://{{ var.value.batchtx_bucket }}/late-payments"
DAY = HOME + "/day={{ dag_run.run_after | ds }}"
INSTANCES = 2

with DAG(
    "late_payments",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # two runs of a day write to the same folders
    doc_md=__doc__,
    tags=["batchtx"],
):
    prepare = PrepareInputOperator(
        task_id="prepare",
        source=f"{HOME}/source/",
        columns=["late_april", "bill_april", "age"],
        keep=["holder", "late_september"],
        types={"holder": "int64", "late_september": "int64"},
        min_shards=INSTANCES,
        output=f"{DAY}/in/",
    )
    transform = BatchTransformOperator(
        task_id="transform",
        job=TransformJob(
            model_name="late-payments",
            input=prepare.output,
            output=f"{DAY}/out/",
            instance_type="ml.m5.large",
            instance_count=INSTANCES,
        ),
        deferrable=True,
    )
    AssociateOutputOperator(task_id="associate", result=transform.output, output=f"{DAY}/scored/")
