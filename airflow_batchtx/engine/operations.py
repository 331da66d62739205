"""The operations that the engine serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_batchtx.engine import groups, jobs, models, packages, tags
from airflow_batchtx.engine.api import Api, Document, Request

Operation = Callable[[Api, Request], "Document | None"]

OPERATIONS: Mapping[str, Operation] = {
    "CreateModel": models.create_model,
    "DescribeModel": models.describe_model,
    "ListModels": models.list_models,
    "DeleteModel": models.delete_model,
    "CreateModelPackageGroup": groups.create_model_package_group,
    "DescribeModelPackageGroup": groups.describe_model_package_group,
    "ListModelPackageGroups": groups.list_model_package_groups,
    "DeleteModelPackageGroup": groups.delete_model_package_group,
    "CreateModelPackage": packages.create_model_package,
    "DescribeModelPackage": packages.describe_model_package,
    "ListModelPackages": packages.list_model_packages,
    "UpdateModelPackage": packages.update_model_package,
    "DeleteModelPackage": packages.delete_model_package,
    "CreateTransformJob": jobs.create_transform_job,
    "DescribeTransformJob": jobs.describe_transform_job,
    "ListTransformJobs": jobs.list_transform_jobs,
    "StopTransformJob": jobs.stop_transform_job,
    "AddTags": tags.add_tags,
    "ListTags": tags.list_tags,
    "DeleteTags": tags.delete_tags,
}

# Those that wait for the S3.
ASK_S3 = frozenset({"CreateTransformJob"})
