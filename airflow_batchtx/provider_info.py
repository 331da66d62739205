"""What Airflow discovers of this provider. Imports nothing of Airflow: its configuration is not loaded yet by then."""

from __future__ import annotations

from typing import Any

from airflow_batchtx import __version__

SERVICE = "Amazon SageMaker Batch Transform"


def get_provider_info() -> dict[str, Any]:
    """Describe the provider, as Airflow's provider_info.schema.json asks."""
    return {
        "package-name": "airflow-batchtx",
        "name": SERVICE,
        "description": "Prepare input, run Amazon SageMaker Batch Transform jobs and associate their output, "
        "on AWS or on a local engine that speaks the same API.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": SERVICE,
                "external-doc-url": "https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html",
                "tags": ["aws"],
            }
        ],
        "hooks": _modules("hooks.batch_transform", "hooks.storage"),
        "operators": _modules("operators.batch_transform", "operators.data"),
        "sensors": _modules("sensors.batch_transform"),
        "triggers": _modules("triggers.batch_transform"),
        "task-groups": _modules("task_groups"),
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": SERVICE, "python-modules": [f"airflow_batchtx.{name}" for name in names]}]
