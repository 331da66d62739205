"""Three tasks in one call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import InvalidInput, InvalidJob
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.prepared import INPUT_PATH
from airflow_batchtx.task_groups import scoring
from tests.fake_sagemaker import REQUEST

JOB = TransformJob(
    model_name="churn", input="s3://b/staged/", output="s3://b/out/", instance_type="ml.m5.large", instance_count=3
)


@pytest.fixture(autouse=True)
def dag() -> Iterator[DAG]:
    with DAG("churn", schedule=None) as dag:
        yield dag


def tasks(**options: Any) -> dict[str, Any]:
    needed = {"source": "s3://lake/day/", "keep": ["id"], "job": JOB, "output": "s3://lake/scored/"}
    return scoring(**{**needed, **options}).children


def test_each_task_takes_what_the_one_before_it_gives() -> None:
    made = tasks()

    assert {name: task.upstream_task_ids for name, task in made.items()} == {
        "scoring.prepare": set(),
        "scoring.transform": {"scoring.prepare"},
        "scoring.associate": {"scoring.transform"},
    }


@pytest.mark.parametrize("job", [JOB, {**JOB.to_request(), "Unheard": 1}])
@pytest.mark.filterwarnings("ignore::airflow_batchtx.spec.job.UnknownToThisVersion")
def test_the_jobs_input_is_where_prepare_writes(job: Any) -> None:
    made = tasks(job=job)
    prepare, transform = made["scoring.prepare"], made["scoring.transform"]

    assert (prepare.output_prefix, prepare.instance_count) == ("s3://b/staged/", 3)
    assert wire.at(transform.job, INPUT_PATH).operator is prepare
    assert transform.job["ModelName"] == "churn"


def test_a_request_that_is_handed_in_is_not_changed() -> None:
    tasks(job=REQUEST)

    assert wire.at(REQUEST, INPUT_PATH) == "s3://b/in/"


def test_arguments_of_all_and_of_one() -> None:
    made = tasks(
        group_id="nightly", default_args={"aws_conn_id": "prod", "retries": 5}, prepare={"shard_rows": 7},
        transform={"deferrable": True}, associate={"format": "csv"},
    )  # fmt: skip

    assert {(task.aws_conn_id, task.retries) for task in made.values()} == {("prod", 5)}
    assert made["nightly.prepare"].shard_rows == 7
    assert made["nightly.transform"].deferrable is True
    assert made["nightly.associate"].format == "csv"


def test_an_argument_that_no_task_has_is_refused() -> None:
    with pytest.raises(TypeError, match="shard_row"):
        tasks(prepare={"shard_row": 7})


def test_options_of_job_control_reach_the_job() -> None:
    options = {"on_changed": "replace", "max_cost": 25, "instance_types": ["ml.m5.xlarge"], "logs": True}
    transform = tasks(transform=options)["scoring.transform"]

    assert {name: getattr(transform, name) for name in options} == options


def test_a_job_that_is_not_waited_for_cannot_be_associated() -> None:
    with pytest.raises(InvalidInput, match="deferrable=True"):
        tasks(transform={"wait_for_completion": False})


class Source(BaseOperator):
    """A task before."""


def test_a_job_that_does_not_say_where_its_input_shall_lie() -> None:
    source = Source(task_id="elsewhere").output
    with pytest.raises(InvalidJob, match="must be the prefix that prepare writes to"):
        tasks(job={**JOB.to_request(), "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": source}}}})


# ----------------------------------------------------------------------------------------------- places that overlap

DAY = "s3://lake/day={{ ds }}/"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"output": "s3://lake/day/"}, ["output"]),
        ({"output": "s3://lake/day"}, ["output"]),
        ({"output": "s3://lake/day/scored/"}, ["output"]),
        ({"output": "s3://lake/"}, ["output"]),
        ({"source": ["s3://lake/a.csv", "s3://lake/x/b.csv"], "output": "s3://lake/x/"}, ["output"]),
        ({"source": DAY, "output": DAY + "scored/"}, ["output"]),
        ({"output": "s3://b/staged/"}, ["output"] * 3),
        ({"output": "s3://b/staged/kept/"}, ["output"]),
        ({"output": "s3://b/out/scored/"}, ["output"]),
        ({"job": replace(JOB, output="s3://lake/day/out/")}, ["output"]),
        ({"job": replace(JOB, output="s3://b/staged/shards/out")}, ["output"]),
        ({"job": replace(JOB, input=DAY + "in/"), "source": DAY}, ["input"]),
        ({"prepare": {"output": "s3://lake/day/in/"}}, ["input"]),
        ({"output": "s3://lake/day/", "job": replace(JOB, input="s3://lake/day/in/")}, ["output"] * 4 + ["input"]),
        ({"source": "s3://b/"}, ["input", "output", "control_prefix"]),
        ({"output": "s3://b/"}, ["output"] * 4 + ["control_prefix"]),
        ({"transform": {"control_prefix": "s3://b/out/_batchtx"}}, ["control_prefix"]),
        ({"transform": {"control_prefix": "s3://b/staged/shards/x/"}}, ["control_prefix"]),
        ({"default_args": {"control_prefix": "s3://lake/scored/x/"}}, ["control_prefix"]),
        ({"source": DAY, "transform": {"control_prefix": DAY + "jobs/"}}, ["control_prefix"]),
    ],
    ids=str,
)
def test_places_that_take_in_one_another_are_refused(options: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        tasks(**options)

    labels = {BY_NAME[name].label: name for name in ("input", "output")}
    assert [labels.get(problem.field, problem.field) for problem in caught.value.problems] == fields


@pytest.mark.parametrize(
    "options",
    [
        {"source": "s3://lake/a", "output": "s3://lake/ab/"},
        {"source": "s3://lake/a.csv", "output": "s3://lake/scored/"},
        {"output": "s3://b/staged/scored/"},
        {"output": "s3://lake/days/"},
        {"source": DAY, "output": "s3://scored/day={{ ds }}/"},
        {"source": "{{ params.source }}", "output": "{{ params.output }}"},
        {"job": replace(JOB, output="s3://b/staged/out/")},
        {"transform": {"control_prefix": "s3://b/staged/jobs/"}},
        {"source": "s3://b/", "job": replace(JOB, input="s3://c/in/", output="s3://c/out/")},
        {"transform": {"control_prefix": "{{ params.control }}"}},
    ],
    ids=str,
)
def test_places_beside_each_other_are_fine(options: dict[str, Any]) -> None:
    assert len(tasks(**options)) == 3


# ------------------------------------------------------------------------------------------------ in many tasks


def test_prepare_in_a_task_for_each_source() -> None:
    made = tasks(source=["s3://lake/a/", "s3://lake/b/"], mapped=True)
    prepare, transform = made["scoring.prepare"], made["scoring.transform"]

    assert prepare.is_mapped
    assert prepare.expand_input.value == {"source": ["s3://lake/a/", "s3://lake/b/"]}
    assert prepare.partial_kwargs["output"] == "s3://b/staged/"
    assert wire.at(transform.job, INPUT_PATH).operator is prepare
    assert transform.upstream_task_ids == {"scoring.prepare"}


def test_associate_in_shares() -> None:
    associate = tasks(shares=3, associate={"predictions": {"score": "double"}})["scoring.associate"]

    assert associate.is_mapped
    assert associate.expand_input.value == {"share": ["1/3", "2/3", "3/3"]}
    assert associate.upstream_task_ids == {"scoring.transform"}


def test_rows_may_be_those_of_a_query() -> None:
    query = {"sql": "SELECT id, x FROM customers ORDER BY id", "sql_conn_id": "warehouse"}

    assert tasks(source=None, prepare=query)["scoring.prepare"].sql == query["sql"]


def test_what_another_task_returns_may_be_mapped_over() -> None:
    source = Source(task_id="elsewhere").output

    assert tasks(source=source, mapped=True)["scoring.prepare"].upstream_task_ids == {"elsewhere"}


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"mapped": True}, ["source"]),
        ({"shares": 0}, ["shares"]),
        ({"shares": "3"}, ["shares"]),
        ({"shares": 2}, ["predictions"]),
        ({"shares": 2, "associate": {"predictions": ["score"]}}, ["predictions"]),
        ({"mapped": True, "shares": 2}, ["source", "predictions"]),
    ],
    ids=str,
)
def test_what_cannot_be_shared_between_tasks(options: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        tasks(**options)

    assert [problem.field for problem in caught.value.problems] == fields


def test_shards_are_planned_for_the_job() -> None:
    job = replace(JOB, content_type="application/jsonlines", max_payload_in_mb=10, max_concurrent_transforms=4)
    prepare = tasks(job=job, prepare={"max_payload_in_mb": 2})["scoring.prepare"]

    assert (prepare.content_type, prepare.instance_count) == ("application/jsonlines", 3)
    assert (prepare.max_payload_in_mb, prepare.max_concurrent_transforms) == (2, 4)
