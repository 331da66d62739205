"""Transform jobs, as SageMaker's API offers them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from airflow_batchtx.errors import JobRefused, ServiceUnavailable
from airflow_batchtx.sagemaker.failures import typed_errors
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import is_final

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

log = logging.getLogger(__name__)

Described: TypeAlias = Mapping[str, Any]  # what DescribeTransformJob answers
Summary: TypeAlias = Mapping[str, Any]  # what ListTransformJobs tells of one job

PAGE = 100  # jobs; API reference, ListTransformJobs: the most that MaxResults takes


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs of a listing; `token` leads to the next ones, None where there are no more."""

    jobs: tuple[Summary, ...]
    token: str | None


class TransformJobs:
    """Creates, describes, stops and lists transform jobs; safe to share between threads, as its client is."""

    def __init__(self, client: SageMakerClient) -> None:
        self._client = client

    @property
    def region(self) -> str:
        """The Region that jobs run in."""
        return self._client.meta.region_name

    @property
    def endpoint(self) -> str:
        """The URL that calls go to."""
        return self._client.meta.endpoint_url

    def create(self, request: Mapping[str, Any]) -> str:
        """Create the job that a CreateTransformJob request describes, and give its ARN.

        JobNameTaken, QuotaExceeded, JobRefused, or ServiceUnavailable; after the last the job may exist nevertheless.
        """
        with typed_errors(request["TransformJobName"]):
            return self._client.create_transform_job(**request)["TransformJobArn"]

    def describe(self, job_name: str) -> Described:
        """Give what SageMaker knows of a job; JobNotFound, JobRefused or ServiceUnavailable."""
        with typed_errors(job_name):
            return cast("Described", self._client.describe_transform_job(TransformJobName=job_name))

    def look(self, job_name: str) -> Described | None:
        """Describe a job; None, and a warning in the log, where SageMaker could not be asked just now."""
        try:
            return self.describe(job_name)
        except ServiceUnavailable as miss:
            log.warning("%s; trying again.", miss)
            return None

    def stop(self, job_name: str) -> bool:
        """Ask for a job's end; False where it has ended or is stopping anyway."""
        try:
            with typed_errors(job_name):
                self._client.stop_transform_job(TransformJobName=job_name)
        except JobRefused as refused:
            if refused.code != "ValidationException":
                raise
            # The same code stands for a job that has ended and for one that does not exist: Describe tells.
            status = self.describe(job_name)["TransformJobStatus"]
            if is_final(status) or status == JobStatus.STOPPING:
                return False
            raise
        return True

    def page(
        self,
        *,
        token: str | None = None,
        created_after: datetime | None = None,
        status: str | None = None,
        name_contains: str | None = None,
    ) -> Page:
        """Give 100 jobs at most, newest first, from where `token` says; one call. JobRefused or ServiceUnavailable.

        Bounded by the time of creation: a bound by the time of change makes SageMaker walk all jobs of the account.
        """
        asked: dict[str, Any] = {
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
            "MaxResults": PAGE,
            "NextToken": token,
            "CreationTimeAfter": created_after,
            "StatusEquals": status,
            "NameContains": name_contains,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        with typed_errors(name_contains or "*"):
            answer = self._client.list_transform_jobs(**given)
        return Page(tuple(cast("list[Summary]", answer["TransformJobSummaries"])), answer.get("NextToken"))

    def listed(self, *, pages: int | None = None, **bounds: Any) -> Iterator[Summary]:
        """Yield jobs, newest first, from at most so many pages; bounds and errors are those of `page`."""
        token = None
        for _ in itertools.count() if pages is None else range(pages):
            page = self.page(token=token, **bounds)
            yield from page.jobs
            if (token := page.token) is None:
                return

    def tags(self, job_arn: str) -> dict[str, str]:
        """Give a job's tags, by the ARN of the job; JobRefused or ServiceUnavailable."""
        with typed_errors(job_arn):
            pages = self._client.get_paginator("list_tags").paginate(ResourceArn=job_arn)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
