"""The jobs of an Airflow, out of tables that are Airflow's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow.models.xcom import XComModel
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from airflow_batchtx.plugin.jobs import (
    NOT_FOLLOWED,
    PAGE,
    SORTS,
    Place,
    Wanted,
    facets,
    job_of,
    matching,
    page_of,
    totals,
)
from airflow_batchtx.spec.card import CARD, JobCard
from benchmarks.task_jobs import RESULT, Kept, fill, jobs, tables

pytestmark = pytest.mark.airflow


@pytest.fixture
def sessions() -> Iterator[sessionmaker[Session]]:
    with tables() as made:
        yield made


def card(**members: Any) -> JobCard:
    return JobCard(result=replace(RESULT, **members))


# The job's state as the task knew it last and the task's, and what the page makes of them.
STATES = {
    ("Completed", "success"): "Completed",
    ("Completed", "failed"): "Completed",
    ("Failed", "up_for_retry"): "Failed",
    ("Stopped", "failed"): "Stopped",
    ("InProgress", "running"): "InProgress",
    ("InProgress", "deferred"): "InProgress",
    ("InProgress", None): "InProgress",
    ("Stopping", "up_for_retry"): "InProgress",
    ("InProgress", "success"): NOT_FOLLOWED,
    ("InProgress", "failed"): NOT_FOLLOWED,
    ("InProgress", "removed"): NOT_FOLLOWED,
}


@pytest.mark.parametrize("known", STATES)
def test_a_job_has_a_state_of_its_own(sessions: sessionmaker[Session], known: tuple[str, str | None]) -> None:
    fill(sessions, [Kept(card=card(status=known[0]), task_state=known[1])])

    with sessions() as session:
        (job,) = page_of(session, Wanted(), {"churn"})
        assert facets(session, {"churn"}) == {("churn", STATES[known]): 1}

    assert (job.state, job.task_state) == (STATES[known], known[1])


def test_only_jobs_of_dags_that_may_be_read_are_counted_and_shown(sessions: sessionmaker[Session]) -> None:
    fill(sessions, [Kept("open"), Kept("open", run=1), Kept("secret"), Kept("open", task_id="prepare", card=None)])

    with sessions() as session:
        counted = facets(session, {"open", "of no jobs"})
        rows = page_of(session, Wanted(), totals(counted, 0))

    assert counted == {("open", "Completed"): 2}
    assert [row.place.dag_id for row in rows] == ["open", "open"]


@pytest.mark.parametrize("junk", [None, "a", 3, [], {}, {"result": "a"}, {"result": {"status": 3}}], ids=repr)
def test_what_somebody_else_has_put_there_is_no_job(sessions: sessionmaker[Session], junk: Any) -> None:
    fill(sessions, [Kept("a"), Kept("a", run=1)])
    with sessions.begin() as session:
        session.execute(
            update(XComModel).where(XComModel.key == CARD, XComModel.run_id == "run 1").values(value=junk),
        )

    with sessions() as session:
        assert facets(session, {"a"}) == {("a", "Completed"): 1}
        assert [row.place.run_id for row in page_of(session, Wanted(), {"a"})] == ["run 0"]
        assert job_of(session, Place("a", "run 1", "score", -1)) is None


def test_filters_are_counted_with_what_the_other_one_lets_through(sessions: sessionmaker[Session]) -> None:
    fill(sessions, [Kept("a"), Kept("a", run=1, card=card(status="Failed")), Kept("b")])

    with sessions() as session:
        counted = facets(session, {"a", "b"})
        failed = page_of(session, Wanted(state="Failed"), {"a", "b"})

    assert totals(matching(counted, Wanted(state="Failed")), 0) == {"a": 1}
    assert totals(matching(counted, Wanted(dag_id="a")), 1) == {"Completed": 1, "Failed": 1}
    assert [row.place.run_id for row in failed] == ["run 1"]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_each_job_once_in_order_and_what_is_not_known_last(
    sessions: sessionmaker[Session], sort: str, descending: bool
) -> None:
    unknown = [
        Kept("new", run=number, card=card(created="2099", transform_seconds=None, cost=None, rows=None))
        for number in range(3)
    ]
    fill(sessions, [*jobs(2 * PAGE + 1, dags=3), *unknown])
    dags = {"new", "dag_0", "dag_1", "dag_2"}

    with sessions() as session:
        pages = [page_of(session, Wanted(sort=sort, descending=descending, page=page), dags) for page in range(4)]

    assert [len(page) for page in pages] == [PAGE, PAGE, 4, 0]
    shown = [row for page in pages for row in page]
    assert len({row.place for row in shown}) == len(shown)
    values = [_of(row.card, sort) for row in shown]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=descending)
    assert values[len(known) :] == [None] * (0 if sort == "created" else 3)


def _of(card: JobCard, sort: str) -> Any:
    result = card.result
    if sort == "duration":
        return result.transform_seconds and (result.provisioning_seconds or 0) + result.transform_seconds
    return getattr(result, sort)


def test_a_job_comes_with_what_its_task_was_and_where_its_buttons_lead(sessions: sessionmaker[Session]) -> None:
    fill(sessions, [Kept(run=2, map_index=4, address="https://here/"), Kept(run=2, map_index=5)])

    with sessions() as session:
        job = job_of(session, Place("churn", "run 2", "score", 4))
        assert job_of(session, Place("churn", "run 2", "score", -1)) is None
        assert job_of(session, Place("churn", "run 2", "prepare", 4)) is None

    assert job is not None
    assert job.card == JobCard(result=RESULT)
    assert job.links == {"job": "https://here/", "logs": "https://here/"}  # the third leads nowhere
    assert (job.try_number, job.run_after.day) == (1, 25)
