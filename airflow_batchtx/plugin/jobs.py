"""The jobs of this Airflow, out of its database: paged, filtered and sorted in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import State
from sqlalchemy import ColumnElement, Select, and_, case, func, select, tuple_
from sqlalchemy.orm import Session

from airflow_batchtx.links.batch_transform import LINKS
from airflow_batchtx.spec.card import CARD, JobCard
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import NEXT

PAGE = 50  # jobs
# The state of a job whose task ended before it: what became of it is not on record.
NOT_FOLLOWED = "NotFollowed"

Facets: TypeAlias = Mapping[tuple[str, str], int]
"""How many jobs there are, by DAG and state."""


@dataclass(frozen=True, slots=True)
class Place:
    """A task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskJob:
    """The job of a task instance, as the task's last try has put it on record, and where its links lead.

    `state` is the job's, or NotFollowed.
    """

    place: Place
    card: JobCard
    state: str
    task_state: str | None
    try_number: int
    run_after: datetime
    links: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs, in which order: of `dag_id` and in `state`, where these are given; `page` counts from 0."""

    dag_id: str | None = None
    state: str | None = None
    sort: str = "created"
    descending: bool = True
    page: int = 0


_FINAL = tuple(status.value for status, after in NEXT.items() if not after)
_OVER = tuple(state.value for state in State.finished)


def _told(name: str) -> Any:
    """Give a member of a job's result, as JSON in the database."""
    return XComModel.value[("result", name)]


_STATUS = _told("status").as_string()
_STATE = case(
    (_STATUS.in_(_FINAL), _STATUS), (TaskInstance.state.in_(_OVER), NOT_FOLLOWED), else_=JobStatus.IN_PROGRESS.value
)
# Floating-point numbers all: rows may be more than a database's integers hold.
SORTS: Mapping[str, ColumnElement[Any]] = {
    "created": _told("created").as_string(),
    "duration": func.coalesce(_told("provisioning_seconds").as_float(), 0.0) + _told("transform_seconds").as_float(),
    "rows": _told("rows").as_float(),
    "cost": _told("cost").as_float(),
}
_TASK = and_(
    TaskInstance.dag_id == XComModel.dag_id,
    TaskInstance.task_id == XComModel.task_id,
    TaskInstance.run_id == XComModel.run_id,
    TaskInstance.map_index == XComModel.map_index,
)
_KEY = (XComModel.dag_run_id, XComModel.task_id, XComModel.map_index)


def facets(session: Session, readable: Collection[str]) -> Facets:
    """Count the jobs of DAGs that may be read."""
    asked = select(XComModel.dag_id, _STATE.label("job_state"), func.count()).where(XComModel.key == CARD)
    # By the label's name: a database does not see that a CASE with parameters is the one that is selected.
    counted = session.execute(asked.join(TaskInstance, _TASK).group_by(XComModel.dag_id, "job_state"))
    return {(dag_id, state): count for dag_id, state, count in counted if dag_id in readable}


def matching(counted: Facets, wanted: Wanted) -> Facets:
    """Give those of the counts that a filter lets through."""
    return {
        (dag_id, state): count
        for (dag_id, state), count in counted.items()
        if wanted.dag_id in (None, dag_id) and wanted.state in (None, state)
    }


def totals(counted: Facets, part: int) -> dict[str, int]:
    """Add counts up by one part of what they are by: 0 the DAG, 1 the state."""
    summed: Counter[str] = Counter()
    for by, count in counted.items():
        summed[by[part]] += count
    return dict(sorted(summed.items()))


def page_of(session: Session, wanted: Wanted, dag_ids: Collection[str]) -> list[TaskJob]:
    """Give one page of the jobs of some DAGs. What a job does not tell comes last, whichever the order."""
    by = SORTS[wanted.sort]
    asked = (
        _jobs()
        .where(XComModel.dag_id.in_(sorted(dag_ids)))
        .order_by(case((by.is_(None), 1), else_=0), by.desc() if wanted.descending else by.asc(), *_KEY)
        .limit(PAGE)
        .offset(wanted.page * PAGE)
    )
    if wanted.state is not None:
        asked = asked.where(_STATE.in_((wanted.state,)))
    return list(_read(session, session.execute(asked).all()))


def job_of(session: Session, place: Place) -> TaskJob | None:
    """Give the job of a task instance; None where it has none."""
    asked = _jobs().where(
        XComModel.dag_id == place.dag_id,
        XComModel.run_id == place.run_id,
        XComModel.task_id == place.task_id,
        XComModel.map_index == place.map_index,
    )
    return next(_read(session, session.execute(asked).all()), None)


def _jobs() -> Select[Any]:
    return (
        select(
            *_KEY, XComModel.dag_id, XComModel.run_id, XComModel.value, _STATE,
            TaskInstance.state, TaskInstance.try_number, DagRun.run_after,
        )
        .join(TaskInstance, _TASK)
        .join(DagRun, DagRun.id == XComModel.dag_run_id)
        .where(XComModel.key == CARD)
    )  # fmt: skip


def _read(session: Session, rows: Sequence[Any]) -> Iterator[TaskJob]:
    links = _links(session, [tuple(row[:3]) for row in rows])
    for dag_run, task_id, map_index, dag_id, run_id, value, state, task_state, try_number, run_after in rows:
        yield TaskJob(
            place=Place(dag_id, run_id, task_id, map_index),
            card=JobCard.read(value),
            state=state,
            task_state=task_state,
            try_number=try_number,
            run_after=run_after,
            links=links.get((dag_run, task_id, map_index), {}),
        )


def _links(session: Session, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], dict[str, str]]:
    """Give the addresses that the buttons of tasks lead to, without those that lead nowhere."""
    names = {link.xcom_key: link.page for link in LINKS}
    asked = select(*_KEY, XComModel.key, XComModel.value).where(XComModel.key.in_(names), tuple_(*_KEY).in_(keys))
    found: dict[tuple[Any, ...], dict[str, str]] = {}
    for *key, name, address in session.execute(asked) if keys else ():
        if address:
            found.setdefault(tuple(key), {})[names[name]] = address
    return found
