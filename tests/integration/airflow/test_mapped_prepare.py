"""A mapped prepare task in a real DAG run: every instance prepares its own, and one job takes it all."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import PrepareInputOperator
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import FakeBatch
from tests.integration.airflow.conftest import RunDag

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("deferrable", [False, True])
def test_one_job_takes_what_all_instances_prepared(
    run_dag: RunDag, sagemaker: FakeBatch, bucket: str, deferrable: bool
) -> None:
    home = f"s3://{bucket}"
    for day in (1, 2, 3):
        sagemaker.store.put(S3Uri(bucket, f"lake/{day}/a.csv"), b"id,x\n" + b"%d,1\n" % day * day)
    with DAG("mapped_prepare", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
        prepare = PrepareInputOperator.partial(task_id="prepare", output=f"{home}/staged/", keep=["id"]).expand(
            source=[f"{home}/lake/{day}/" for day in (1, 2, 3)]
        )
        prepared: Any = prepare.output
        job = TransformJob(model_name="churn", input=prepared, output=f"{home}/out/", instance_type="ml.m5.large")
        BatchTransformOperator(task_id="score", job=job, deferrable=deferrable, poll_interval=0.1)

    done = run_dag(dag)

    assert set(done.states.values()) == {"success"}
    result = done.results["score"]
    assert (result["rows"], result["objects"], result["objects_done"]) == (6, 3, 3)
    manifest = PreparedManifest.read(sagemaker.store.get(S3Uri.parse(result["prepared"])))
    assert [(shard.uri, shard.rows) for shard in manifest.shards] == [
        (f"{home}/staged/map-{index:05d}/shards/part-00000.csv", index + 1) for index in range(3)
    ]
    assert {one.uri.key for one in sagemaker.store.objects(S3Uri(bucket, "out/"))} == {
        f"out/map-{index:05d}/shards/part-00000.csv.out" for index in range(3)
    }
