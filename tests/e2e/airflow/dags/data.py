"""A table by many workers: a prepare task for each folder that is there, one job, two tasks that write."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, task

from airflow_batchtx import TransformJob
from airflow_batchtx.task_groups import scoring

BUCKET = "{{ dag_run.conf['bucket'] }}"

with DAG("data_mapped", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(seconds=1)}):

    @task
    def folders(dag_run=None):  # type: ignore[no-untyped-def]
        """List the folders that are there."""
        bucket = dag_run.conf["bucket"]
        return [f"s3://{bucket}/{found}" for found in S3Hook().list_prefixes(bucket, "lake/", delimiter="/")]

    scoring(
        source=folders(),
        job=TransformJob(
            name=BUCKET,
            model_name="{{ dag_run.conf['model'] }}",
            input=f"s3://{BUCKET}/staged/",
            output=f"s3://{BUCKET}/answers/",
            instance_type="ml.m5.large",
            content_type="text/csv",
            accept="text/csv",
            assemble_with="Line",
        ),
        output=f"s3://{BUCKET}/table/",
        keep=["id"],
        columns=["x"],
        mapped=True,
        shares=2,
        prepare={"types": {"x": "int64"}, "max_quarantined": "10%", "shard_rows": 500},
        transform={"poll_interval": 1.0},
        associate={"predictions": {"score": "int64"}, "max_dead": "10%"},
    )
