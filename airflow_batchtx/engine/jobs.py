"""CreateTransformJob, DescribeTransformJob, ListTransformJobs, StopTransformJob."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_batchtx.engine import admission
from airflow_batchtx.engine.api import Api, Document, Request, refusal, tag_map
from airflow_batchtx.engine.models import existing
from airflow_batchtx.engine.packaged import opened
from airflow_batchtx.engine.paging import page
from airflow_batchtx.engine.registry import Job
from airflow_batchtx.errors import RequestRefused
from airflow_batchtx.spec.enums import JobStatus

_NOT_DESCRIBED = "Could not find requested job with name: {}"
_NOT_UPDATED = "Could not find job to update with name: {}"
# What Describe fills in where the request was silent, as real answers show.
_DEFAULTS: Document = {
    "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
    "TransformInput": {"CompressionType": "None", "SplitType": "None"},
    "TransformOutput": {"AssembleWith": "None", "KmsKeyId": ""},
}


def create_transform_job(api: Api, request: Request) -> Document:
    """Keep a job and begin to run it; everything that AWS finds out at once is found out here."""
    name, model = request["TransformJobName"], opened(api, existing(api, request["ModelName"]))
    if (taken := api.registry.job(api.region, name)) is not None:
        raise _taken(taken)
    tags = tag_map(request.get("Tags", ()))
    admission.check(request, model, runs_images=api.runs_images)
    admission.check_input(api, request, model)
    kept = {key: value for key, value in request.items() if key != "Tags"}
    with api.quotas.granted(request["TransformResources"], lambda: _in_use(api)):
        job = api.registry.add_job(api.region, name, kept, model, tags)
    if job is None:
        raise _taken(_existing_job(api, name, _NOT_DESCRIBED))
    api.jobs.start(job)
    return {"TransformJobArn": job.arn}


def describe_transform_job(api: Api, request: Request) -> Document:
    """Give a job back as it was created, with its status and times."""
    return described(_existing_job(api, request["TransformJobName"], _NOT_DESCRIBED))


def described(job: Job) -> Document:
    """Give what DescribeTransformJob shows of a job."""
    filled = {name: defaults | job.request.get(name, {}) for name, defaults in _DEFAULTS.items()}
    return job.request | filled | {"TransformJobArn": job.arn, **_progress(job)}


def list_transform_jobs(api: Api, request: Request) -> Document:
    """List jobs, newest first unless asked otherwise."""
    jobs, token = page(request, lambda query: api.registry.jobs(api.region, query), _position)
    return {"TransformJobSummaries": [_summary(job) for job in jobs], **token}


def stop_transform_job(api: Api, request: Request) -> None:
    """Begin to stop a job."""
    name = request["TransformJobName"]
    job = _existing_job(api, name, _NOT_UPDATED)
    if not api.registry.move(job, JobStatus.STOPPING):
        now = _existing_job(api, name, _NOT_UPDATED)
        raise refusal(f"The request was rejected because the transform job is in status {now.status}")
    api.jobs.stop(job)


def _in_use(api: Api) -> Iterator[Request]:
    """Give the TransformResources of the Region's jobs that have not ended."""
    for job in api.registry.unfinished():
        if job.region == api.region:
            yield job.request["TransformResources"]


def _existing_job(api: Api, name: str, otherwise: str) -> Job:
    if (job := api.registry.job(api.region, name)) is None:
        raise refusal(otherwise.format(name))
    return job


def _taken(job: Job) -> RequestRefused:
    return RequestRefused(
        "ResourceInUse",
        "Job name must be unique within an AWS account and region, and a job with this name already exists"
        f" ({job.arn})",
    )


def _progress(job: Job) -> Document:
    """Give the members that change while a job lives; those without a value are absent."""
    members = {
        "TransformJobStatus": str(job.status),
        "FailureReason": job.reason,
        "CreationTime": job.created,
        "TransformStartTime": job.started,
        "TransformEndTime": job.ended,
    }
    return {name: value for name, value in members.items() if value is not None}


def _summary(job: Job) -> Document:
    progress = _progress(job)
    progress.pop("TransformStartTime", None)
    named = {"TransformJobName": job.name, "TransformJobArn": job.arn}
    return named | progress | {"LastModifiedTime": job.modified}


def _position(job: Job, sort_by: str) -> tuple[object, str]:
    key = job.name.lower()
    return {"key": key, "created": job.created, "status": str(job.status)}[sort_by], key
