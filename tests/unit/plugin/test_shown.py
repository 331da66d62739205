"""What the page gets of a job: what is on record, and over it what was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_batchtx.planning.forecast import Progress
from airflow_batchtx.plugin import shown
from airflow_batchtx.plugin.documents import Mapped, Pair, TooLarge
from airflow_batchtx.plugin.jobs import NOT_FOLLOWED, Place, TaskJob
from airflow_batchtx.plugin.looking import Look
from airflow_batchtx.spec.card import JobCard
from benchmarks.task_jobs import CREATED, RESULT

NOW = CREATED + timedelta(hours=1)
RUNNING = replace(
    RESULT, status="InProgress", started=None, ended=None, provisioning_seconds=None, transform_seconds=None,
    instance_seconds=None, objects_done=None, cost=None,
)  # fmt: skip


def described(status: str, started: datetime | None = None, ended: datetime | None = None, **more: str) -> Any:
    times = {"CreationTime": CREATED, "TransformStartTime": started, "TransformEndTime": ended}
    return {
        "TransformJobName": RESULT.job_name, "TransformJobArn": RESULT.job_arn, "TransformJobStatus": status,
        "ModelName": "churn", "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://lake/in/"}}},
        "TransformOutput": {"S3OutputPath": "s3://lake/out/"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
        **{name: time for name, time in times.items() if time}, **more,
    }  # fmt: skip


def job(card: JobCard, state: str = "InProgress", task_state: str = "running") -> TaskJob:
    return TaskJob(
        place=Place("churn", "r", "score", -1), card=card, state=state, task_state=task_state, try_number=1,
        run_after=CREATED, links={"job": "https://here/"},
    )  # fmt: skip


def test_a_job_that_has_ended_is_shown_as_it_is_on_record() -> None:
    row = shown.listed(job(JobCard(result=RESULT), "Completed", "success"), None, NOW)

    assert (row["state"], row["unknown"], row["reason"]) == ("Completed", "", "")
    assert (row["done"], row["total"], row["rows"], row["cost"], row["running_cost"]) == (20, 20, 70_000, 0.115, None)
    assert (row["dag_id"], row["map_index"], row["links"]) == ("churn", -1, {"job": "https://here/"})
    assert not shown.asked(job(JobCard(result=RESULT), "Completed"))


@pytest.mark.parametrize(
    ("task_state", "is_over"), [("success", True), ("failed", True), ("running", False), ("up_for_retry", False)]
)
def test_the_page_knows_whether_there_is_more_to_come(task_state: str, is_over: bool) -> None:
    assert shown.listed(job(JobCard(result=RESULT), "Completed", task_state), None, NOW)["task_is_over"] is is_over


def test_a_running_job_is_shown_as_it_was_seen() -> None:
    card = JobCard(result=RUNNING, per_hour=0.6, currency="USD")
    look = Look(0.0, described("InProgress", CREATED + timedelta(minutes=30)), Progress(5, 20, 90.0))

    row = shown.listed(job(card), look, NOW)

    assert shown.asked(job(card))
    assert (row["state"], row["done"], row["total"], row["seconds_left"]) == ("InProgress", 5, 20, 90.0)
    assert row["started"] == "2026-11-23T12:30:00.000+00:00"
    assert row["running_cost"] == pytest.approx(0.6)  # half an hour of two instances
    assert row["cost"] is None


@pytest.mark.parametrize(
    ("state", "look", "unknown"),
    [
        ("InProgress", None, "SageMaker has not answered yet"),
        ("InProgress", Look(0.0, failed="JobRefused: no"), "JobRefused: no"),
        (NOT_FOLLOWED, Look(0.0, failed="JobRefused: no"), "JobRefused: no"),
    ],
)
def test_what_nobody_knows_is_said(state: str, look: Look | None, unknown: str) -> None:
    row = shown.listed(job(JobCard(result=RUNNING), state), look, NOW)

    assert (row["state"], row["unknown"], row["running_cost"]) == (state, unknown, None)


def test_a_job_whose_task_ended_before_it_is_as_sagemaker_says() -> None:
    card = JobCard(result=RUNNING, per_hour=0.6, currency="EUR")
    ends = described("Stopped", CREATED, CREATED + timedelta(minutes=30), FailureReason="stopped by u")

    row = shown.listed(job(card, NOT_FOLLOWED, "success"), Look(0.0, ends), NOW)

    assert (row["state"], row["reason"], row["unknown"]) == ("Stopped", "stopped by u", "")
    assert (row["cost"], row["currency"], row["running_cost"]) == (0.6, "EUR", None)


def test_what_a_task_found_goes_over_what_sagemaker_says() -> None:
    failed = JobCard(result=replace(RESULT, status="Failed"), reason="a.csv: HTTP 400: no column x")

    assert shown.listed(job(failed, "Failed"), None, NOW)["reason"] == "a.csv: HTTP 400: no column x"


def test_the_page_of_a_job_tells_more() -> None:
    row = shown.detailed(job(JobCard(result=RESULT), "Completed"), None, NOW)

    assert (row["input"], row["output"], row["control"]) == (RESULT.input, RESULT.output, RESULT.control)
    assert row["state"] == "Completed"


@pytest.mark.parametrize(
    ("mapped", "told"),
    [
        (None, {"total": 0, "proved": False, "pairs": []}),
        (TooLarge("s3://b/r", 9), {"total": None, "proved": False, "pairs": [], "uri": "s3://b/r", "size": 9}),
        (
            Mapped(True, [Pair("s3://b/i", 1, "s3://b/o", True)]),
            {
                "total": 1,
                "proved": True,
                "pairs": [{"input": "s3://b/i", "size": 1, "output": "s3://b/o", "written": True}],
            },
        ),
    ],
)
def test_a_mapping_is_told(mapped: Any, told: Any) -> None:
    assert shown.mapping(mapped, 0) == told
