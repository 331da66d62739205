"""Airflow's tables in a SQLite of their own, with as many jobs of tasks as wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

from airflow_batchtx.links.batch_transform import LINKS
from airflow_batchtx.spec.card import CARD, JobCard
from airflow_batchtx.spec.result import TransformResult

CREATED = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
RESULT = TransformResult.of(
    {
        "TransformJobName": "churn-score",
        "TransformJobArn": "arn:aws:sagemaker:us-east-1:123456789012:transform-job/churn-score",
        "TransformJobStatus": "Completed",
        "ModelName": "churn",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lake/in/"}}},
        "TransformOutput": {"S3OutputPath": "s3://lake/out/"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
        "CreationTime": CREATED,
        "TransformStartTime": CREATED + timedelta(minutes=4),
        "TransformEndTime": CREATED + timedelta(minutes=34),
    },
    control="s3://lake/_batchtx/churn-score/", objects=20, objects_done=20, rows=70_000, cost=0.115, currency="USD",
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """The job of a task instance, to be put into the tables; None for a task that has none."""

    dag_id: str = "churn"
    run: int = 0
    task_id: str = "score"
    map_index: int = -1
    card: JobCard | None = field(default_factory=lambda: JobCard(result=RESULT))
    task_state: str | None = "success"
    address: str = "https://console/"


@contextmanager
def tables() -> Iterator[sessionmaker[Session]]:
    """Make the tables in memory, for all threads."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    try:
        import_all_models()  # those that others refer to
        Base.metadata.create_all(engine)
        yield sessionmaker(engine)
    finally:
        engine.dispose()


def fill(sessions: sessionmaker[Session], kept: Iterable[Kept]) -> None:
    """Put jobs into the tables, each run once."""
    rows: dict[Any, list[dict[str, Any]]] = {DagRun: [], TaskInstance: [], XComModel: []}
    runs: dict[tuple[str, int], int] = {}
    for one in kept:
        if (one.dag_id, one.run) not in runs:
            runs[one.dag_id, one.run] = len(runs) + 1
            rows[DagRun].append(_run(one, len(runs)))
        rows[TaskInstance].append(_task(one))
        rows[XComModel] += [
            {**_place(one), "dag_run_id": runs[one.dag_id, one.run], "key": key, "value": value, "timestamp": CREATED}
            for key, value in _xcoms(one).items()
        ]
    with sessions.begin() as session:
        for model, found in rows.items():
            session.execute(insert(model.__table__), found)


def jobs(count: int, dags: int = 20) -> Iterator[Kept]:
    """Give so many jobs, one a run, each of other numbers, in a run of four tasks; one in a hundred has failed."""
    for number in range(count):
        created = CREATED + timedelta(minutes=number)
        failed = number % 100 == 0
        result = replace(
            RESULT,
            job_name=f"churn-score-{number}",
            job_arn=f"{RESULT.job_arn}-{number}",
            status="Failed" if failed else "Completed",
            created=created.isoformat(timespec="milliseconds"),
            transform_seconds=60.0 + number * 7919 % 3600,
            cost=number * 31 % 997 / 100,
            rows=number * 104_729 % 1_000_000,
        )
        place = {"dag_id": f"dag_{number % dags}", "run": number // dags}
        yield Kept(**place, card=JobCard(result=result), task_state="failed" if failed else "success")
        for other in ("prepare", "join", "report"):
            yield Kept(**place, task_id=other, card=None)


def _run(one: Kept, number: int) -> dict[str, Any]:
    after = CREATED + timedelta(days=one.run)
    return {
        "id": number, "dag_id": one.dag_id, "run_id": f"run {one.run}", "run_type": "scheduled", "run_after": after,
        "log_template_id": None,
    }  # fmt: skip


def _place(one: Kept) -> dict[str, Any]:
    return {
        "dag_id": one.dag_id, "run_id": f"run {one.run}", "task_id": one.task_id, "map_index": one.map_index
    }  # fmt: skip


def _task(one: Kept) -> dict[str, Any]:
    return {**_place(one), "state": one.task_state, "try_number": 1, "pool": "default_pool"}


def _xcoms(one: Kept) -> dict[str, Any]:
    """Give what a task leaves behind: one without a job its result, one with a job also that and its addresses."""
    if one.card is None:
        return {"return_value": {"output": "s3://lake/in/", "rows": 70_000}}
    result = one.card.result
    told = {"job_name": result.job_name, "job_arn": result.job_arn, "output": result.output, "control": result.control}
    links = {link.xcom_key: one.address for link in LINKS[:2]} | {link.xcom_key: "" for link in LINKS[2:]}
    return {CARD: one.card.to_dict(), "return_value": result.to_dict(), **told, **links}
