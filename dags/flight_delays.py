"""
### Which of a day's flights will arrive late?

Scores the flights that leave New York on a day, before they leave: one run, one job and one partition a day, so that
days can be backfilled, run again and bounded.

| task | reads | writes |
|---|---|---|
| `prepare` | `source/day=2013-01-01/` (CSV with a header) | headerless shards, and the kept columns beside |
| `transform` | the shards | how likely each flight is to be late; waits without a worker slot, also for a quota |
| `associate` | kept columns and scores | `scored/day=2013-01-01/`: one Parquet table, rows in = rows out |

It needs a pool named `batchtx` that counts deferred tasks, as many slots as jobs may run at once:
`airflow pools set batchtx 4 "transform jobs at once" --include-deferred`. Its data are those of January 2013, and end
there; so nothing runs by itself, but by
`airflow backfill create --dag-id flight_delays --from-date 2013-01-01 --to-date 2013-01-31`. Trigger it with a logical
date of that month: of a later one Airflow makes a run without tasks, and calls it a success.

It runs unchanged on AWS and on the local engine, once `batchtx seed flights` has put data and model there.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator

HOME = "s3://{{ var.value.batchtx_bucket }}/flights"
# A run that somebody triggers may have no logical date.
DAY = "day={{ (dag_run.logical_date or dag_run.run_after) | ds }}"

with DAG(
    "flight_delays",
    schedule="@daily",
    start_date=pendulum.datetime(2013, 1, 1, tz="UTC"),
    end_date=pendulum.datetime(2013, 1, 31, tz="UTC"),
    catchup=False,
    default_args={"retries": 2},
    doc_md=__doc__,
    tags=["batchtx"],
):
    prepare = PrepareInputOperator(
        task_id="prepare",
        source=f"{HOME}/source/{DAY}/",
        columns=["carrier", "origin", "hour", "distance"],
        keep=["id", "flight", "dest", "arr_delay"],
        types={"id": "int64", "arr_delay": "int64"},
        output=f"{HOME}/staged/{DAY}/in/",
    )
    transform = BatchTransformOperator(
        task_id="transform",
        job=TransformJob(
            model_name="flight-delays",
            input=prepare.output,
            output=f"{HOME}/staged/{DAY}/out/",
            instance_type="ml.m5.xlarge",
        ),
        pool="batchtx",
        on_quota="wait",
        deferrable=True,
    )
    AssociateOutputOperator(
        task_id="associate",
        result=transform.output,
        predictions={"late": "double"},
        output=f"{HOME}/scored/{DAY}/",
    )
