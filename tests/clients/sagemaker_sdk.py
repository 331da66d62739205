"""The SageMaker Python SDK v2 at work, as a program for an environment of its own; its results go to a file as JSON.

Run as `python sagemaker_sdk.py BUCKET MODEL_DATA RESULT_FILE [what to do]`, where the AWS variables name engine and S3.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.model import Model, ModelPackage
from sagemaker.pipeline import PipelineModel
from sagemaker.session import Session
from sagemaker.transformer import Transformer

ROLE = "arn:aws:iam::123456789012:role/batchtx"
CSV = {"content_type": "text/csv", "split_type": "Line"}


def model(session: Session, model_data: str, greeting: str) -> Model:
    return Model("image", model_data=model_data, role=ROLE, sagemaker_session=session, env={"GREETING": greeting})


def transform_and_tail_logs(session: Session, bucket: str, model_data: str) -> dict[str, Any]:
    transformer = model(session, model_data, "hello").transformer(
        1,
        "ml.m5.large",
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        output_path=f"s3://{bucket}/sdk",
    )
    transformer.transform(f"s3://{bucket}/in/", **CSV, job_name=f"sdk-{bucket}", wait=True, logs=True)
    attached = Transformer.attach(f"sdk-{bucket}", sagemaker_session=session)
    return {"model": transformer.model_name, "attached": attached.model_name, "output": attached.output_path}


def pipeline(session: Session, bucket: str, model_data: str) -> dict[str, Any]:
    models = [model(session, model_data, greeting) for greeting in ("one", "two")]
    transformer = PipelineModel(models, role=ROLE, name=f"pipe-{bucket}", sagemaker_session=session).transformer(
        1, "ml.m5.large", output_path=f"s3://{bucket}/pipeline", accept="text/csv"
    )
    transformer.transform(f"s3://{bucket}/in/", **CSV, wait=False)
    # Without logs it looks for the end only, every five seconds.
    transformer.wait(logs=False)
    return {"output": transformer.output_path}


def failure(session: Session, bucket: str, model_data: str) -> dict[str, Any]:
    transformer = model(session, model_data, "boom").transformer(1, "ml.m5.large", output_path=f"s3://{bucket}/failed")
    transformer.transform(f"s3://{bucket}/in/", **CSV, wait=False)
    try:
        transformer.wait(logs=False)
    except UnexpectedStatusException as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {}


def stop(session: Session, bucket: str, model_data: str) -> dict[str, Any]:
    transformer = model(session, model_data, "slow").transformer(1, "ml.m5.large", output_path=f"s3://{bucket}/stopped")
    transformer.transform(f"s3://{bucket}/in/", **CSV, wait=False)
    transformer.stop_transform_job(wait=True)
    job = transformer.latest_transform_job.name
    return {"status": session.sagemaker_client.describe_transform_job(TransformJobName=job)["TransformJobStatus"]}


def package(session: Session, bucket: str, model_data: str) -> dict[str, Any]:
    registered = model(session, model_data, "packaged").register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        transform_instances=["ml.m5.large"],
        model_package_group_name=f"group-{bucket}",
        approval_status="PendingManualApproval",
    )
    found = ModelPackage(ROLE, model_package_arn=registered.model_package_arn, sagemaker_session=session)
    # It approves the version by itself before it makes a model of it.
    transformer = found.transformer(1, "ml.m5.large", output_path=f"s3://{bucket}/package", accept="text/csv")
    transformer.transform(f"s3://{bucket}/in/", **CSV, wait=True, logs=False)
    return {"arn": registered.model_package_arn}


if __name__ == "__main__":
    bucket, model_data, result = sys.argv[1:4]
    session = Session(default_bucket=bucket)
    done = {work: globals()[work](session, bucket, model_data) for work in sys.argv[4:]}
    Path(result).write_text(json.dumps(done))
