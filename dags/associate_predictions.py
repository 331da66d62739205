"""
### Which prediction belongs to whom?

The three jobs of AWS's article on associating predictions with their input, over 57 patients and one model.

| job | input | says | an output record |
|---|---|---|---|
| `no_processing` | 30 measures | | the prediction |
| `joined` | number, 30 measures | InputFilter `$[1:]`, JoinSource Input | number, 30 measures, prediction |
| `ids_only` | number, 30 measures | and OutputFilter `$[0,-1]` | number, prediction |

Behind each, `<job>_table` makes a table of it, with names and types, after it has proved that no record is missing. It
runs unchanged on AWS and on the local engine, after `batchtx seed associate-predictions`, with the Airflow Variable
`batchtx_bucket` and the connection `aws_default`.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator

HOME = "s3://{{ var.value.batchtx_bucket }}/associate-predictions"
DAY = HOME + "/day={{ dag_run.run_after | ds }}"
CELLS = [
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
]
MEASURES = [f"{measure}_{of}" for measure in ("mean", "error", "worst") for of in (*CELLS, "fractal_dimension")]
JOIN = {"input_filter": "$[1:]", "join_source": "Input"}
# The folder of the input, how SageMaker processes records, and which cells of the input are in the table.
JOBS = {
    "no_processing": ("without-id", {}, MEASURES),
    "joined": ("with-id", JOIN, ["id", *MEASURES]),
    "ids_only": ("with-id", {**JOIN, "output_filter": "$[0,-1]"}, ["id"]),
}

with DAG(
    "associate_predictions",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    max_active_runs=1,  # two runs of a day write to the same folders
    doc_md=__doc__,
    tags=["batchtx"],
):
    for name, (folder, processing, cells) in JOBS.items():
        transform = BatchTransformOperator(
            task_id=name,
            job=TransformJob(
                model_name="breast-cancer",
                input=f"{HOME}/{folder}/",
                output=f"{DAY}/{name}/",
                content_type="text/csv",
                split_type="Line",
                accept="text/csv",
                assemble_with="Line",
                instance_type="ml.m5.large",
                **processing,
            ),
            deferrable=True,
        )
        AssociateOutputOperator(
            task_id=f"{name}_table",
            result=transform.output,
            output=f"{DAY}/{name}_table/",
            input_columns=cells,
            predictions={"benign": "double"},
        )
