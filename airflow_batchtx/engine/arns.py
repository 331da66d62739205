"""Names of resources."""

from __future__ import annotations

from airflow_batchtx.engine.config import ACCOUNT

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}


def arn(region: str, kind: str, name: str) -> str:
    """Name a resource; SageMaker writes names in lower case there."""
    prefix = next((found for found in _PARTITIONS if region.startswith(f"{found}-")), "")
    return f"arn:{_PARTITIONS.get(prefix, 'aws')}:sagemaker:{region}:{ACCOUNT}:{kind}/{name.lower()}"
