"""What Airflow discovers of this provider. Imports nothing of Airflow: its configuration is not loaded yet by then."""

from __future__ import annotations

from typing import Any

from airflow_batchtx import __version__

SERVICE = "Amazon SageMaker Batch Transform"


def _option(kind: str, default: str, example: str, description: str) -> dict[str, Any]:
    return {
        "type": kind,
        "default": default,
        "example": example,
        "description": description,
        "version_added": __version__,
    }


# The options of Airflow's section [batchtx]; an argument of a task overrules each.
CONFIG: dict[str, dict[str, Any]] = {
    "namespace": _option(
        "string",
        "",
        "prod",
        "Tells Airflow deployments apart that run jobs in one AWS account: two with the same name, DAG, task and run\n"
        "take each other's jobs for their own. The address of this deployment, [api] base_url, unless set.\n",
    ),
    "control_prefix": _option(
        "string",
        "",
        "s3://bucket/batchtx/",
        "The S3 prefix below which each job has a folder for what it is about to do and what it did. It may lie in\n"
        "no input or output prefix. _batchtx/ in the bucket of the job's output unless set.\n",
    ),
    "poll_interval": _option(
        "float",
        "30.0",
        "60.0",
        "The longest pause between two looks at a running job, in seconds; young jobs are looked at more often.\n",
    ),
    "prices": _option(
        "string",
        "",
        "/opt/airflow/prices.json",
        "Prices of instances, as JSON or as the path of a JSON file of the form of airflow_batchtx/spec/prices.json.\n"
        'They go over the prices that come with this package, or with "extends": false in their place.\n',
    ),
    "calls_per_second": _option(
        "float",
        "5.0",
        "2.0",
        "The most calls to SageMaker that all deferred tasks of one connection make from one triggerer, in a second.\n",
    ),
    "metrics_namespace": _option(
        "string",
        "",
        "Batchtx",
        "The namespace of CloudWatch to which tasks write what their jobs took and how many rows they scored,\n"
        "with DAG, task and model as dimensions. Nothing is written unless set.\n",
    ),
}


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
        "hooks": _modules("hooks.batch_transform", "hooks.storage", "hooks.step_functions", "hooks.queues"),
        "operators": _modules(
            "operators.batch_transform", "operators.data", "operators.step_functions", "operators.events"
        ),
        "sensors": _modules("sensors.batch_transform"),
        "triggers": _modules("triggers.batch_transform", "triggers.step_functions", "triggers.queues"),
        "task-groups": _modules("task_groups"),
        "extra-links": [
            f"airflow_batchtx.links.batch_transform.{name}"
            for name in ("TransformJobLink", "TransformLogsLink", "TransformOutputLink")
        ],
        "config": {"batchtx": {"description": f"How tasks run jobs of {SERVICE}.", "options": CONFIG}},
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": SERVICE, "python-modules": [f"airflow_batchtx.{name}" for name in names]}]
