from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.engine.database import Query
from airflow_batchtx.engine.paging import page
from airflow_batchtx.engine.registry import Job, Model, Registry
from airflow_batchtx.spec.enums import JobStatus

HERE = "us-east-1"
MODEL = Model(HERE, "m", 0.0, {"ModelName": "m"})


def new() -> Registry:
    ticks = count(1)
    return Registry(Path(":memory:"), lambda: next(ticks) + 0.12345)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with closing(new()) as registry:
        yield registry


def add(registry: Registry, name: str, region: str = HERE) -> Job:
    job = registry.add_job(region, name, {"TransformJobName": name}, MODEL, {})
    assert job is not None
    return job


def test_a_job_is_kept_with_its_model(registry: Registry) -> None:
    job = add(registry, "Job")

    assert registry.job(HERE, "jOB") == job
    assert (job.status, job.created, job.modified, job.started) == (JobStatus.IN_PROGRESS, 1.123, 1.123, None)
    assert job.model == MODEL


def test_names_are_unique_in_a_region_whatever_their_case(registry: Registry) -> None:
    add(registry, "Job")

    assert registry.add_job(HERE, "jOB", {}, MODEL, {}) is None
    add(registry, "job", "eu-west-1")


def test_a_refused_job_brings_no_tags(registry: Registry) -> None:
    job = add(registry, "job")

    registry.add_job(HERE, "job", {}, MODEL, {"a": "b"})

    assert registry.tags(job.arn) == {}


def test_times_follow_the_life_of_a_job(registry: Registry) -> None:
    job = add(registry, "job")
    registry.mark_started(job)
    registry.move(job, JobStatus.FAILED, "why")

    found = registry.job(HERE, "job")

    assert found is not None
    assert (found.started, found.ended, found.modified) == (2.123, 3.123, 3.123)
    assert (found.status, found.reason) == (JobStatus.FAILED, "why")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ([JobStatus.COMPLETED], [True]),
        ([JobStatus.STOPPING, JobStatus.STOPPED], [True, True]),
        ([JobStatus.STOPPING, JobStatus.COMPLETED, JobStatus.FAILED], [True, False, False]),
        ([JobStatus.STOPPED], [False]),
        ([JobStatus.COMPLETED, JobStatus.STOPPING, JobStatus.FAILED], [True, False, False]),
    ],
)
def test_only_the_moves_of_a_jobs_life_are_made(registry: Registry, path: list[JobStatus], allowed: list[bool]) -> None:
    job = add(registry, "job")

    assert [registry.move(job, status) for status in path] == allowed


def test_a_job_that_was_told_to_stop_does_not_start(registry: Registry) -> None:
    job = add(registry, "job")
    registry.move(job, JobStatus.STOPPING)

    assert not registry.mark_started(job)
    assert registry.job(HERE, "job").started is None  # type: ignore[union-attr]


def test_unfinished_jobs_of_all_regions(registry: Registry) -> None:
    running, stopping, done = add(registry, "a"), add(registry, "b", "eu-west-1"), add(registry, "c")
    registry.move(stopping, JobStatus.STOPPING)
    registry.move(done, JobStatus.COMPLETED)

    assert {job.arn for job in registry.unfinished()} == {running.arn, stopping.arn}


def test_a_registry_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    with closing(Registry(path, lambda: 1.0)) as first:
        job = add(first, "job")
    with closing(Registry(path, lambda: 2.0)) as second:
        assert second.job(HERE, "job") == job


def test_tags(registry: Registry) -> None:
    registry.set_tags("Arn", {"a": "1", "b": "2"})
    registry.set_tags("arn", {"a": "3", "c": "4"})
    registry.remove_tags("arn", ["b", "z"])

    assert registry.tags("ARN") == {"a": "3", "c": "4"}


# ------------------------------------------------------------------------------------------------------- pages

ORDERS = st.fixed_dictionaries(
    {
        "SortBy": st.sampled_from(["Name", "CreationTime", "Status"]),
        "SortOrder": st.sampled_from(["Ascending", "Descending"]),
    }
)


def position(job: Job, sort_by: str) -> tuple[object, str]:
    return {"key": job.name, "created": job.created, "status": str(job.status)}[sort_by], job.name


@given(
    names=st.lists(st.text("abc", min_size=1, max_size=4), unique=True, max_size=12),
    order=ORDERS,
    size=st.integers(1, 5),
)
def test_pages_together_are_the_whole_list(names: list[str], order: dict[str, str], size: int) -> None:
    with closing(new()) as registry:
        for index, name in enumerate(names):
            job = add(registry, name)
            if index % 3:
                registry.move(job, JobStatus.COMPLETED)

        def rows(query: Query) -> list[Job]:
            return registry.jobs(HERE, query)

        whole, _ = page({**order, "MaxResults": 100}, rows, position)
        seen, token = [], {}
        while True:
            found, token = page({**order, "MaxResults": size, **token}, rows, position)
            seen += found
            # A job that is created between two pages comes into none of them twice.
            assert len(found) == size or not token
            if not token:
                break

        assert seen == whole
        assert {job.name for job in whole} == set(names)


def test_a_job_created_meanwhile_shifts_no_page() -> None:
    with closing(new()) as registry:
        for name in "abc":
            add(registry, name)

        def rows(query: Query) -> list[Job]:
            return registry.jobs(HERE, query)

        first, token = page({"MaxResults": 2}, rows, position)
        add(registry, "d")
        second, _ = page({"MaxResults": 2, **token}, rows, position)

        assert [job.name for job in first + second] == ["c", "b", "a"]
