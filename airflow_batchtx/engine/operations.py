"""The operations that the engine serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_batchtx.engine import jobs, models, tags
from airflow_batchtx.engine.api import Api, Document, Request

Operation = Callable[[Api, Request], "Document | None"]

OPERATIONS: Mapping[str, Operation] = {
    "CreateModel": models.create_model,
    "DescribeModel": models.describe_model,
    "ListModels": models.list_models,
    "DeleteModel": models.delete_model,
    "CreateTransformJob": jobs.create_transform_job,
    "DescribeTransformJob": jobs.describe_transform_job,
    "ListTransformJobs": jobs.list_transform_jobs,
    "StopTransformJob": jobs.stop_transform_job,
    "AddTags": tags.add_tags,
    "ListTags": tags.list_tags,
    "DeleteTags": tags.delete_tags,
}
