"""### Score what you like, from a form

**Trigger** opens a form with what SageMaker's CreateTransformJob takes. As it stands, it scores 57 patients of a clinic
in Wisconsin: the model does not see their numbers (`$[1:]`), and what is written is each number with its prediction
(`Input` joined, then `$[0,-1]`).

| field | left empty |
|---|---|
| Input | the patients: `associate-predictions/with-id/` of the bucket |
| Output | `score-on-demand/` of the bucket, a folder for each run |

A value that SageMaker would not take is refused before there is a run; what is wrong only together with another value
fails the task before there is a job, and its log lists all of it. The task's page links to the job while it runs.

It runs unchanged on AWS and on the local engine. It needs the Airflow Variable `batchtx_bucket` and what
`batchtx seed associate-predictions` puts there.
"""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator

FORM = TransformJob.params(
    model_name="breast-cancer", input=None, output=None, instance_type="ml.m5.large", instance_count=1,
    input_filter="$[1:]", join_source="Input", output_filter="$[0,-1]",
    s3_data_type="S3Prefix", content_type="text/csv", split_type="Line", compression_type=None,
    accept="text/csv", assemble_with="Line", kms_key_id=None,
    batch_strategy=None, max_payload_in_mb=None, max_concurrent_transforms=None,
    invocations_timeout_in_seconds=None, invocations_max_retries=None, environment=None,
    volume_kms_key_id=None, name=None, tags=None,
)  # fmt: skip

with DAG(
    "score_on_demand",
    schedule=None,
    params=FORM,
    is_paused_upon_creation=False,
    doc_md=__doc__,
    tags=["batchtx"],
):
    BatchTransformOperator(
        task_id="transform",
        job=TransformJob.from_params(
            FORM,
            input="{{ params.input or 's3://' ~ var.value.batchtx_bucket ~ '/associate-predictions/with-id/' }}",
            output="{{ params.output or 's3://' ~ var.value.batchtx_bucket ~ '/score-on-demand/' ~ run_id ~ '/' }}",
        ),
        deferrable=True,
    )
