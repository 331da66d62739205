"""
### After any job

When a transform job ends that something else than Airflow has started (a notebook, a Lambda function, the console),
its outputs are proved and joined with its input.

| task | does |
|---|---|
| `take` | takes the jobs that no other run has taken |
| `check` | one for each job: it has all of its outputs, or it fails and says which object the model refused, and why |
| `tables` | leaves out those that did not Complete |
| `associate` | one for each of the others: a table at `any-job/<job name>/`, with the place of each row in the input |

The queue `batchtx-job-ends` gets EventBridge's events about jobs; `docs/events.md` of airflow-batchtx shows how to
make it. A run in which a job has failed fails too: that is how it is reported, so give it the callbacks that your other
DAGs have. The tables of the jobs beside it are made all the same.

It runs unchanged on AWS and on the local engine. It needs the Airflow Variable `batchtx_bucket`.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_batchtx.operators.data import AssociateOutputOperator
from airflow_batchtx.operators.events import TakeEventsOperator
from airflow_batchtx.sensors.batch_transform import BatchTransformSensor
from airflow_batchtx.triggers.queues import JobEndTrigger

HOME = "s3://{{ var.value.batchtx_bucket }}/any-job"

job_ends = Asset(
    "batchtx_job_ends",
    watchers=[AssetWatcher(name="queue", trigger=JobEndTrigger(queue="batchtx-job-ends"))],
)


@task
def names(jobs: list[dict[str, Any]]) -> list[str]:
    """Name all jobs."""
    return [job["job_name"] for job in jobs]


@task
def tables(jobs: list[dict[str, Any]], home: str) -> list[dict[str, str]]:
    """Say which table is made of which job."""
    return [
        {"job_name": job["job_name"], "output": f"{home}/{job['job_name']}/"}
        for job in jobs
        if job["status"] == "Completed"
    ]


with DAG(
    "after_any_job",
    schedule=[job_ends],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    doc_md=__doc__,
    tags=["batchtx"],
):
    take = TakeEventsOperator(task_id="take", asset=job_ends, claims=f"{HOME}/_claims/", retries=2)
    BatchTransformSensor.partial(task_id="check").expand(job_name=names(take.output))
    AssociateOutputOperator.partial(task_id="associate").expand_kwargs(tables(take.output, HOME))
