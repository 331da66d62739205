"""The jobs of this Airflow, out of its database: paged, filtered and sorted in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import State
from sqlalchemy import ColumnElement, and_, case, func, not_, select
from sqlalchemy.orm import Session

from airflow_batchtx.links.batch_transform import LINKS
from airflow_batchtx.spec.card import CARD, JobCard
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import NEXT

PAGE = 50  # jobs
# The state of a job whose task ended before it: what became of it is not on record.
NOT_FOLLOWED = "NotFollowed"

Key: TypeAlias = tuple[Any, ...]
"""What an XCom of the table is told by, beside its own key: the DAG run's number, the task and the map index."""

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

    @property
    def task_is_over(self) -> bool:
        """Tell whether the task will not look at the job again, nor try again."""
        return self.task_state in _OVER


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
# Whatever else somebody has put under the key of cards has no such status: it must not be what breaks everybody's page.
_STATUSES = tuple(status.value for status in JobStatus)
_IS_CARD = and_(XComModel.key == CARD, _STATUS.in_(_STATUSES))
_IS_OVER = func.coalesce(TaskInstance.state, "").in_(_OVER)
# Which jobs are in a state that their status alone does not tell; `state_of` says the same of one job.
_UNENDED: Mapping[str, ColumnElement[bool]] = {
    JobStatus.IN_PROGRESS.value: and_(_STATUS.not_in(_FINAL), not_(_IS_OVER)),
    NOT_FOLLOWED: and_(_STATUS.not_in(_FINAL), _IS_OVER),
}
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


def state_of(status: str, *, task_is_over: bool) -> str:
    """Give the state of a job by what its task knew of it last."""
    if status in _FINAL:
        return status
    return NOT_FOLLOWED if task_is_over else JobStatus.IN_PROGRESS.value


def facets(session: Session, readable: Collection[str]) -> Facets:
    """Count the jobs of DAGs that may be read."""
    over = case((_IS_OVER, 1), else_=0)
    by = (XComModel.dag_id, _STATUS.label("job_status"), over.label("task_is_over"))
    asked = select(*by, func.count()).join(TaskInstance, _TASK).where(XComModel.key == CARD)
    # By the labels' names: a database does not see that an expression with parameters is the one that is selected.
    counted: Counter[tuple[str, str]] = Counter()
    for dag_id, status, is_over, count in session.execute(asked.group_by(by[0], "job_status", "task_is_over")):
        if dag_id in readable and status in _STATUSES:
            counted[dag_id, state_of(status, task_is_over=bool(is_over))] += count
    return counted


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
    # Sorted by their keys first, so that the rest is looked up for those alone that are shown.
    asked = (
        select(*_KEY)
        .where(_IS_CARD, XComModel.dag_id.in_(sorted(dag_ids)))
        .order_by(case((by.is_(None), 1), else_=0), by.desc() if wanted.descending else by.asc(), *_KEY)
        .limit(PAGE)
        .offset(wanted.page * PAGE)
    )
    if wanted.state is not None:
        unended = _UNENDED.get(wanted.state)
        ended = asked.where(_STATUS.in_((wanted.state,)))
        asked = ended if unended is None else asked.join(TaskInstance, _TASK).where(unended)
    return _read(session, [tuple(key) for key in session.execute(asked)])


def job_of(session: Session, place: Place) -> TaskJob | None:
    """Give the job of a task instance; None where it has none."""
    asked = select(*_KEY).where(
        _IS_CARD,
        XComModel.dag_id == place.dag_id,
        XComModel.run_id == place.run_id,
        XComModel.task_id == place.task_id,
        XComModel.map_index == place.map_index,
    )
    return next(iter(_read(session, [tuple(key) for key in session.execute(asked)])), None)


def _read(session: Session, keys: Sequence[Key]) -> list[TaskJob]:
    """Give the jobs of these keys, in their order."""
    if not keys:
        return []
    asked = (
        select(
            *_KEY, XComModel.dag_id, XComModel.run_id, XComModel.value,
            TaskInstance.state, TaskInstance.try_number, DagRun.run_after,
        )
        .join(TaskInstance, _TASK)
        .join(DagRun, DagRun.id == XComModel.dag_run_id)
        .where(XComModel.key == CARD, *_among(keys))
    )  # fmt: skip
    links, found = _links(session, keys), dict[Key, TaskJob]()
    for dag_run, task_id, map_index, dag_id, run_id, value, state, try_number, run_after in session.execute(asked):
        card = JobCard.read(value)
        found[dag_run, task_id, map_index] = TaskJob(
            place=Place(dag_id, run_id, task_id, map_index),
            card=card,
            state=state_of(card.result.status, task_is_over=state in _OVER),
            task_state=state,
            try_number=try_number,
            run_after=run_after,
            links=links.get((dag_run, task_id, map_index), {}),
        )
    return [found[key] for key in keys if key in found]


def _among(keys: Sequence[Key]) -> list[ColumnElement[bool]]:
    """Narrow XComs to those of some keys, and to few others: column by column, as every database's index has them."""
    return [column.in_(sorted(set(values))) for column, values in zip(_KEY, zip(*keys, strict=True), strict=True)]


def _links(session: Session, keys: Sequence[Key]) -> dict[Key, dict[str, str]]:
    """Give the addresses that the buttons of tasks lead to, without those that lead nowhere."""
    names = {link.xcom_key: link.page for link in LINKS}
    asked = select(*_KEY, XComModel.key, XComModel.value).where(XComModel.key.in_(names), *_among(keys))
    found: dict[Key, dict[str, str]] = {}
    for dag_run, task_id, map_index, name, address in session.execute(asked):
        if address:
            found.setdefault((dag_run, task_id, map_index), {})[names[name]] = address
    return found
