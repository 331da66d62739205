"""
### Which card transactions are fraud?

Scores a day's transactions and puts those that somebody should look at into a folder of their own.

| task | reads | writes |
|---|---|---|
| `prepare` | `source/` (CSV with a header) | shards: the id and six numbers; the kept columns beside |
| `transform` | the shards | id, score and decision, the riskiest of each request first |
| `associate` | kept columns and answers | `scored/decision=alert/` and `scored/decision=pass/` |

The model answers in an order of its own, so rows and answers are joined by the id: none may be missing, new or there
twice. It runs unchanged on AWS and on the local engine, after `batchtx seed fraud-detection`, with the Airflow Variable
`batchtx_bucket` and the connection `aws_default`. The transactions are synthetic.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.task_groups import scoring

HOME = "s3://{{ var.value.batchtx_bucket }}/fraud-detection"
DAY = HOME + "/day={{ dag_run.run_after | ds }}"

with DAG(
    "fraud_detection",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # two runs of a day write to the same folders
    doc_md=__doc__,
    tags=["batchtx"],
):
    scoring(
        source=f"{HOME}/source/",
        columns=["transaction", "amount", "usual_amount", "km_from_home", "hour", "minutes_since_last", "abroad"],
        keep=["transaction", "card", "amount"],
        job=TransformJob(
            model_name="fraud-detection",
            input=f"{DAY}/in/",
            output=f"{DAY}/out/",
            content_type="text/csv",
            accept="text/csv",
            instance_type="ml.m5.large",
            instance_count=2,
        ),
        output=f"{DAY}/scored/",
        prepare={"types": {"amount": "double"}},
        transform={"deferrable": True},
        associate={
            "key": "transaction",
            "predictions": {"transaction": "string", "score": "double", "decision": "string"},
            "partition_by": ["decision"],
        },
    )
