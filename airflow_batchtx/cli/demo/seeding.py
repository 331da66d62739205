"""Put into S3 and SageMaker what the DAG late_payments needs: its source table, and its model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from airflow_batchtx.cli.demo.dataset import holders
from airflow_batchtx.cli.demo.training import packed, train

BUCKET = "batchtx-demo"
MODEL = "late-payments"
HOME = "late-payments"
# The engine runs a model's own inference.py in Python and needs no image; AWS would want one of its framework images.
IMAGE = "sklearn-inference"
ROLE = "arn:aws:iam::123456789012:role/batchtx-demo"


class Clients(NamedTuple):
    """boto3 clients, S3's and SageMaker's."""

    s3: Any
    sagemaker: Any


def seed(clients: Clients) -> Iterator[str]:
    """Do it in steps; each is named before it is done."""
    yield "Read 30,000 credit card holders"
    data = holders()
    yield f"Train a model on {len(data.training):,} of them (scikit-learn)"
    model = train(data.training)
    yield f"Upload {len(data.scoring):,} others, and model.tar.gz with code/inference.py"
    # us-east-1 takes no location constraint, every other Region wants one.
    region = clients.s3.meta.region_name
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    if BUCKET not in {bucket["Name"] for bucket in clients.s3.list_buckets()["Buckets"]}:
        clients.s3.create_bucket(Bucket=BUCKET, **place)
    table = data.scoring.to_csv(index=False).encode()
    clients.s3.put_object(Bucket=BUCKET, Key=f"{HOME}/source/holders.csv", Body=table)
    clients.s3.put_object(Bucket=BUCKET, Key=f"{HOME}/model.tar.gz", Body=packed(model))
    yield f"Create the SageMaker model {MODEL}"
    # An engine keeps its models; its S3, and so the archive of an earlier one, may be gone.
    there = clients.sagemaker.list_models(NameContains=MODEL, MaxResults=100)["Models"]
    if any(model["ModelName"] == MODEL for model in there):
        clients.sagemaker.delete_model(ModelName=MODEL)
    clients.sagemaker.create_model(
        ModelName=MODEL,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{HOME}/model.tar.gz"},
    )
