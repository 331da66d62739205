"""Names of resources."""

from __future__ import annotations

from airflow_batchtx.engine.config import ACCOUNT

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}


def arn(region: str, kind: str, name: str) -> str:
    """Name a resource; SageMaker writes names in lower case there."""
    prefix = next((found for found in _PARTITIONS if region.startswith(f"{found}-")), "")
    return f"arn:{_PARTITIONS.get(prefix, 'aws')}:sagemaker:{region}:{ACCOUNT}:{kind}/{name.lower()}"


def full_arn(region: str, kind: str, given: str) -> str:
    """Name a resource that is given by its name or its ARN by its ARN."""
    return given.lower() if given.startswith("arn:") else arn(region, kind, given)


def own_name(region: str, kind: str, given: str) -> str:
    """Give the name in a name or an ARN; empty where the ARN is that of another account, Region or kind."""
    name = given.partition("/")[2] if given.startswith("arn:") else given
    return name if arn(region, kind, name) == full_arn(region, kind, given) else ""
