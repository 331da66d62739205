"""
### Score what arrives

Card holders' files that arrive below `arrivals/` are scored: all that have come since the last run by one job, and each
of them once, however often S3 tells of it.

| task | does |
|---|---|
| `take` | takes the objects that no other run has taken, and skips the run where there are none |
| `prepare`, `transform`, `associate` | as in `late_payments`: one table of all of them, rows in = rows out |

The queue `batchtx-arrivals` gets S3's notifications; `docs/events.md` of airflow-batchtx shows how to make it. What
arrives while a job runs waits for the next run. A run can be started by hand or through Airflow's REST API as well,
with the conf `{"events": [{"id": "any text, one for each piece of work", "uri": "s3://bucket/key.csv"}]}`.

It runs unchanged on AWS and on the local engine. It needs the Airflow Variable `batchtx_bucket` and a SageMaker
model named `late-payments`.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator
from airflow_batchtx.operators.events import TakeEventsOperator
from airflow_batchtx.triggers.queues import ArrivalTrigger

HOME = "s3://{{ var.value.batchtx_bucket }}/late-payments"
# Outside of arrivals/: what a run writes must not start the next one.
RUN = HOME + "/arrived/{{ dag_run.run_after.strftime('%Y%m%dT%H%M%S%f') }}"

arrivals = Asset(
    "batchtx_arrivals",
    watchers=[AssetWatcher(name="queue", trigger=ArrivalTrigger(queue="batchtx-arrivals"))],
)

with DAG(
    "score_on_arrival",
    schedule=[arrivals],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    max_active_runs=1,
    default_args={"retries": 2},  # nobody is there to look; every task finds what an earlier try has done
    doc_md=__doc__,
    tags=["batchtx"],
):
    take = TakeEventsOperator(task_id="take", asset=arrivals, claims=f"{HOME}/claims/arrivals/", member="uri")
    prepare = PrepareInputOperator(
        task_id="prepare",
        source=take.output,
        columns=["late_april", "bill_april", "age"],
        keep=["holder", "late_september"],
        types={"holder": "int64", "late_september": "int64"},
        output=f"{RUN}/in/",
    )
    transform = BatchTransformOperator(
        task_id="transform",
        job=TransformJob(
            model_name="late-payments",
            input=prepare.output,
            output=f"{RUN}/out/",
            instance_type="ml.m5.large",
            instance_count=1,
        ),
        deferrable=True,
    )
    AssociateOutputOperator(task_id="associate", result=transform.output, output=f"{RUN}/scored/")
