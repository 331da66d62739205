"""Links from a task to its job: there as soon as the job is, while it runs or is deferred, and after any end.

Airflow's server reads a link from an XCom of the task and knows nothing else of it. The task writes that XCom itself
once it has a job; what Airflow does at the end of each process of a task, asking `get_link` and writing it again, then
changes nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperatorLink, BaseXCom, Context

from airflow_batchtx.sagemaker.jobs import TransformJobs
from airflow_batchtx.spec.console import job_pages
from airflow_batchtx.spec.uri import S3Uri

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

log = logging.getLogger(__name__)


class _PublishedLink(BaseOperatorLink):
    """A link that `publish_links` has written."""

    name: ClassVar[str]
    page: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Give the address; an empty text while there is no job."""
        # Past a custom XCom backend, as Airflow's server does.
        return BaseXCom.get_one(key=self.xcom_key, **place_of(ti_key)) or ""


class TransformJobLink(_PublishedLink):
    """Leads to the job."""

    name = "Transform job"
    page = "job"


class TransformLogsLink(_PublishedLink):
    """Leads to what its containers have logged."""

    name = "Transform logs"
    page = "logs"


class TransformOutputLink(_PublishedLink):
    """Leads to its output prefix."""

    name = "Transform output"
    page = "output"


LINKS: tuple[_PublishedLink, ...] = (TransformJobLink(), TransformLogsLink(), TransformOutputLink())


def publish_links(context: Context, job_name: str, output: S3Uri, jobs: TransformJobs) -> None:
    """Let the links of a task lead to its job, from now on. That they cannot is only warned of."""
    try:
        pages = job_pages(region=jobs.region, job_name=job_name, output=output, endpoint=jobs.endpoint)
        for link in LINKS:
            BaseXCom.set(key=link.xcom_key, value=getattr(pages, link.page) or "", **place_of(context["ti"]))
    except Exception as error:  # noqa: BLE001 - the job runs and is paid for: a button must not be what fails its task
        log.warning("Airflow's page of this task will not link to transform job %s: %r", job_name, error)


def place_of(ti: Any) -> dict[str, Any]:
    """Name a task instance as XComs do."""
    return {name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
