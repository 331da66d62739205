"""
### What is in a heap of files?

Sends images and text files to a model each, whole and one a request, and makes a table of what the models say.

| group | reads | asks | writes |
|---|---|---|---|
| `images` | `images/*.png`, and `images.csv` about them | `digit-reader` | `day=.../images/`: digit and confidence |
| `texts` | `texts/*.txt`, and `texts.csv` about them | `card-sorter` | `day=.../texts/`: kind and confidence |

Nothing is copied: the job reads the objects where they lie, and its manifest names just those. It runs unchanged on AWS
and on the local engine, after `batchtx seed document-processing`, with the Airflow Variable `batchtx_bucket` and the
connection `aws_default`.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.task_groups import scoring

HOME = "s3://{{ var.value.batchtx_bucket }}/document-processing"
DAY = HOME + "/day={{ dag_run.run_after | ds }}"
# What the files are, what they are called, and who knows them.
KINDS = {
    "images": ("image/png", "*.png", "digit-reader"),
    "texts": ("text/plain", "*.txt", "card-sorter"),
}

with DAG(
    "document_processing",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # two runs of a day write to the same folders
    doc_md=__doc__,
    tags=["batchtx"],
):
    for kind, (content_type, pattern, model) in KINDS.items():
        scoring(
            group_id=kind,
            source=f"{HOME}/{kind}/",
            job=TransformJob(
                model_name=model,
                input=f"{DAY}/staging/{kind}/in/",
                output=f"{DAY}/staging/{kind}/out/",
                content_type=content_type,
                accept="application/json",
                instance_type="ml.m5.large",
                max_concurrent_transforms=4,
            ),
            output=f"{DAY}/{kind}/",
            prepare={"include": pattern, "keep_from": f"{HOME}/{kind}.csv"},
            transform={"deferrable": True},
        )
