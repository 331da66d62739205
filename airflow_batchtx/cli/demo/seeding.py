"""Put into S3 and SageMaker what the example DAGs need: the data and the models of their cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from airflow_batchtx.cli.demo.cases import CASES, load
from airflow_batchtx.errors import InvalidInput, ModelNotFound, ObjectNotFound, Problem
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.failures import typed_errors
from airflow_batchtx.storage.s3 import S3Store

BUCKET = "batchtx-demo"
# The engine runs a model's own inference.py in Python and needs no image; AWS would want one of its framework images.
IMAGE = "sklearn-inference"
ROLE = "arn:aws:iam::123456789012:role/batchtx-demo"

# What SageMaker's framework images find a model's code by.
_CODE = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


class Clients(NamedTuple):
    """boto3 clients, S3's and SageMaker's."""

    s3: Any
    sagemaker: Any


def seed(
    clients: Clients, bucket: str, names: Iterable[str] = CASES, role: str = ROLE, image: str = IMAGE
) -> Iterator[str]:
    """Do it in steps; each is named before it is done. What an earlier call has put there is replaced.

    The bucket is made where there is none. InvalidInput for a case that does not exist, before anything is done, and
    for a model of the same name that is somebody else's; StorageError, ModelCallRefused and ServiceUnavailable tell
    which call failed.
    """
    cases = [load(name) for name in names]
    store, models = S3Store(clients.s3), Models(clients.sagemaker)
    yield f"Look for the bucket {bucket}"
    _make_bucket(clients.s3, bucket)
    for case in cases:
        yield f"Upload {case.summary}"
        for key, body in case.objects():
            store.put(S3Uri(bucket, f"{case.name}/{key}"), body)
        yield f"Train for {case.name}"
        for model, archive in case.models():
            yield f"Create the SageMaker model {model}"
            uri = S3Uri(bucket, f"{case.name}/models/{model}/model.tar.gz")
            store.put(uri, archive)
            _clear(models, model, case.name)
            container = {"Image": image, "ModelDataUrl": str(uri), "Environment": _CODE}
            models.create({"ModelName": model, "ExecutionRoleArn": role, "PrimaryContainer": container})


def _make_bucket(s3: Any, bucket: str) -> None:
    try:
        with typed_errors(S3Uri(bucket)):
            s3.head_bucket(Bucket=bucket)
    except ObjectNotFound:
        # us-east-1 takes no location constraint, every other Region wants one.
        region = s3.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with typed_errors(S3Uri(bucket)):
            s3.create_bucket(Bucket=bucket, **place)


def _clear(models: Models, name: str, folder: str) -> None:
    """Delete the model that an earlier seeding made: an engine keeps its models when the S3 beside it is a new one.

    One whose data lie in no bucket's folder of the case is somebody else's.
    """
    try:
        found = models.describe(name)
    except ModelNotFound:
        return
    data = found.get("PrimaryContainer", {}).get("ModelDataUrl", "")
    if data.split("/")[3:4] != [folder]:
        problem = Problem(
            "model", name, f"is another one already, of {data or 'no data'}", "Rename or delete that one."
        )
        raise InvalidInput("seed", (problem,))
    models.delete(name)
