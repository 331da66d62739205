"""
### Which machines will fail within a week?

Every morning: the sensors' readings of the seven days before become one row a machine, and each gets a risk.

| task | reads | writes |
|---|---|---|
| `windows` | seven objects `readings/day=.../` | `windows/day=.../`: means over the week and over its last day |
| `prepare`, `transform` | the windows | shards, and a risk for each row |
| `associate` | kept columns and risks | the partition `scored/day=.../` |

The features are made by the function that the model was trained with. It runs unchanged on AWS and on the local
engine, after `batchtx seed predictive-maintenance`, with the Airflow Variable `batchtx_bucket` and the connection
`aws_default`. The readings are synthetic, of 2026-01-01 to 2026-03-01: trigger it with a `morning` of that time; a run
of today, such as its schedule makes, finds none and fails.
"""

from __future__ import annotations

import io

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_batchtx import TransformJob
from airflow_batchtx.cli.demo.cases.windows import DAYS, FEATURES, machines
from airflow_batchtx.task_groups import scoring

BUCKET = "{{ var.value.batchtx_bucket }}"
HOME = f"s3://{BUCKET}/predictive-maintenance"
MORNING = "{{ params.morning or (dag_run.logical_date or dag_run.run_after) | ds }}"


@task
def windows(bucket: str, morning: str) -> str:
    """Make a table with one row a machine out of the days before a morning, and tell where it is."""
    import pandas as pd
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    s3 = S3Hook()
    days = pd.date_range(end=morning, periods=DAYS + 1)[:-1]
    keys = [f"predictive-maintenance/readings/day={day:%Y-%m-%d}/readings.csv" for day in days]
    if silent := [key for key in keys if not s3.check_for_key(key, bucket)]:
        raise ValueError(f"No readings at s3://{bucket}/{silent[0]}: give a morning that has seven days before it.")
    readings = pd.concat(pd.read_csv(io.StringIO(s3.read_key(key, bucket))) for key in keys)
    made = f"predictive-maintenance/windows/day={morning}/machines.csv"
    s3.load_string(machines(readings).to_csv(index=False), made, bucket, replace=True)
    return f"s3://{bucket}/{made}"


with DAG(
    "predictive_maintenance",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 8, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # two runs of a morning write to the same folders
    params={
        "morning": Param(
            None,
            type=["null", "string"],
            format="date",
            description="The seven days before it are looked at, and its partition is written; the run's own day if "
            "empty. The seeded readings allow 2026-01-08 to 2026-03-02.",
        )
    },
    doc_md=__doc__,
    tags=["batchtx"],
):
    scoring(
        source=windows(BUCKET, MORNING),
        columns=FEATURES,
        keep=["machine"],
        job=TransformJob(
            model_name="predictive-maintenance",
            input=f"{HOME}/staging/day={MORNING}/in/",
            output=f"{HOME}/staging/day={MORNING}/out/",
            content_type="text/csv",
            accept="text/csv",
            instance_type="ml.m5.large",
        ),
        output=f"{HOME}/scored/day={MORNING}/",
        prepare={"required": FEATURES},  # a machine that was silent on the last day is told, not guessed
        transform={"deferrable": True},
        associate={"predictions": {"risk": "double"}},
    )
