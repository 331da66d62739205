"""What is told of a job and of a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.spec.associated import AssociatedOutput
from airflow_batchtx.spec.measures import Measure, Work, model_of, of_table, of_transform
from airflow_batchtx.spec.result import TransformResult

RESULT = replace(
    TransformResult.between("s3://b/in/", "s3://b/out/"),
    rows=1000,
    objects_done=4,
    provisioning_seconds=180.0,
    transform_seconds=60.0,
    instance_seconds=120.0,
    cost=0.25,
    currency="USD",
)
TABLE = AssociatedOutput(
    output="s3://b/scored/", manifest="s3://b/scored/_manifest.json", rows=990, parts=4, columns=("id",), job_name="a",
    dead_rows=10, dead_letters="s3://b/scored/_dead_letters/",
)  # fmt: skip


def told(measures: tuple[Measure, ...]) -> dict[str, float]:
    return {one.name: one.value for one in measures}


def test_all_numbers_of_a_job() -> None:
    assert of_transform(RESULT) == (
        Measure("FailedJobs", 0, "Count"),
        Measure("StoppedJobs", 0, "Count"),
        Measure("SentRows", 1000, "Count"),
        Measure("ScoredObjects", 4, "Count"),
        Measure("ProvisioningSeconds", 180, "Seconds"),
        Measure("TransformSeconds", 60, "Seconds"),
        Measure("InstanceSeconds", 120, "Seconds"),
        Measure("CostUSD", 0.25, "None"),
    )


@pytest.mark.parametrize(("known", "names"), [
    ({"rows": None}, {"SentRows"}),
    ({"objects_done": None}, {"ScoredObjects"}),
    ({"cost": None}, {"CostUSD"}),
    ({"cost": 1.0, "currency": None}, {"CostUSD"}),
    ({"transform_seconds": None, "instance_seconds": None}, {"TransformSeconds", "InstanceSeconds"}),
])  # fmt: skip
def test_what_is_not_known_is_not_told(known: dict[str, Any], names: set[str]) -> None:
    assert told(of_transform(RESULT)).keys() - told(of_transform(replace(RESULT, **known))).keys() == names


@pytest.mark.parametrize(("status", "failed", "stopped"), [("Failed", 1, 0), ("Stopped", 0, 1), ("Completed", 0, 0)])
def test_how_jobs_end(status: str, failed: int, stopped: int) -> None:
    numbers = told(of_transform(replace(RESULT, status=status)))

    assert (numbers["FailedJobs"], numbers["StoppedJobs"]) == (failed, stopped)


def test_a_job_that_is_reused_does_not_cost_again() -> None:
    assert of_transform(replace(RESULT, reused=True)) == ()


def test_a_table() -> None:
    assert of_table(TABLE) == (Measure("ScoredRows", 990, "Count"), Measure("DeadRows", 10, "Count"))


def test_a_model_that_each_run_makes_is_no_dimension() -> None:
    """Each run would be ten metrics more."""
    result = replace(RESULT, model_name="0a1b2c-churn-3d4e5f")

    assert model_of(result) == "0a1b2c-churn-3d4e5f"
    assert model_of(replace(result, own_model=True)) == ""


def test_dimensions() -> None:
    assert Work(dag_id="d", task_id="t", model_name="m").dimensions == {"DagId": "d", "TaskId": "t", "ModelName": "m"}
    assert Work(dag_id="d", task_id="t").dimensions == {"DagId": "d", "TaskId": "t"}
