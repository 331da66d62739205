"""The server's part of the page: JSON for who may read it, and the bundle that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

from airflow.utils.session import create_session
from fastapi import APIRouter, FastAPI, HTTPException, Query, status
from fastapi.responses import FileResponse
from sqlalchemy.orm import Session

from airflow_batchtx.control.services import Services
from airflow_batchtx.hooks.paced import PacedHook
from airflow_batchtx.plugin import shown
from airflow_batchtx.plugin.access import LOGS, RECORDS, TASKS, ReadableDags
from airflow_batchtx.plugin.documents import PAGE as OBJECTS
from airflow_batchtx.plugin.documents import Documents, NotInTime
from airflow_batchtx.plugin.jobs import PAGE, Place, TaskJob, Wanted, facets, job_of, matching, page_of, totals
from airflow_batchtx.plugin.looking import Look, Looker, worded
from airflow_batchtx.spec.card import JobCard

STATIC = Path(__file__).parent / "static"
# What is served of it, whatever else lies there.
_FILES: Mapping[str, str] = {
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "icon-dark.svg": "image/svg+xml",
}
# Seconds for which a request waits for SageMaker: a list goes on without, and who looks at one job has some patience.
LIST_PATIENCE, JOB_PATIENCE = 2.0, 6.0
# Clients are kept for so many ways to AWS.
_WAYS = 32

Sessions = Callable[[], AbstractContextManager[Session]]
Page = Annotated[int, Query(ge=0, le=1_000_000)]
# Names of DAGs, tasks and runs hold no slash, as in Airflow's own addresses.
JOB = "/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/{map_index}"


class JobsApi:
    """What the page asks for. Its methods are for threads: none of them is a coroutine."""

    def __init__(self, sessions: Sessions, looker: Looker, documents: Documents) -> None:
        self._sessions, self._looker, self._documents = sessions, looker, documents

    def jobs(
        self,
        readable: ReadableDags,
        dag_id: str | None = None,
        state: str | None = None,
        sort: Literal["created", "duration", "rows", "cost"] = "created",
        descending: bool = True,
        page: Page = 0,
    ) -> dict[str, Any]:
        """Give a page of jobs, and how many there are by DAG and by state: each count as the other filter leaves it."""
        wanted = Wanted(dag_id=dag_id, state=state, sort=sort, descending=descending, page=page)
        with self._sessions() as session:
            counted = facets(session, readable)
            found = matching(counted, wanted)
            rows = page_of(session, wanted, totals(found, 0))
        looks = self._looks(rows, LIST_PATIENCE)
        now = datetime.now(timezone.utc)
        return {
            "jobs": [shown.listed(row, looks.get(row.place), now) for row in rows],
            "total": sum(found.values()),
            "page_size": PAGE,
            "all": sum(counted.values()),
            "dags": totals(matching(counted, Wanted(state=state)), 0),
            "states": totals(matching(counted, Wanted(dag_id=dag_id)), 1),
            "now": now.isoformat(),
        }

    def job(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
        """Give the job of a task instance; 404 where it has none."""
        found = self._found(dag_id, run_id, task_id, map_index)
        look = self._looks([found], JOB_PATIENCE).get(found.place)
        now = datetime.now(timezone.utc)
        return {"job": shown.detailed(found, look, now), "now": now.isoformat()}

    def mapping(self, dag_id: str, run_id: str, task_id: str, map_index: int, page: Page = 0) -> dict[str, Any]:
        """Give a page of which output of a job answers which input."""
        card = self._found(dag_id, run_id, task_id, map_index).card
        with _in_words("S3"):
            return {**shown.mapping(self._documents.mapped(card), page), "page_size": OBJECTS}

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
        """Give the last lines of a job's logs."""
        card = self._found(dag_id, run_id, task_id, map_index).card
        with _in_words("CloudWatch"):
            return shown.log(self._documents.logged(card))

    def _found(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> TaskJob:
        with self._sessions() as session:
            found = job_of(session, Place(dag_id, run_id, task_id, map_index))
        if found is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "This task has no transform job")
        return found

    def _looks(self, rows: list[TaskJob], patience: float) -> dict[Place, Look]:
        cards = {row.place: row.card for row in rows if shown.asked(row)}
        return self._looker.looks(cards, patience=patience)


def make_app(api: JobsApi) -> FastAPI:
    """Give the server of the page. What is not the page's own code asks for the user's login."""
    router = APIRouter(prefix="/api")
    router.add_api_route("/jobs", api.jobs, dependencies=[TASKS])
    router.add_api_route(JOB, api.job, dependencies=[TASKS])
    router.add_api_route(f"{JOB}/mapping", api.mapping, dependencies=[RECORDS])
    router.add_api_route(f"{JOB}/log", api.log, dependencies=[LOGS])
    made = FastAPI(title="airflow-batchtx", openapi_url=None)
    made.include_router(router)
    made.add_api_route("/static/{name}", static)
    return made


@cache
def app() -> FastAPI:
    """Give the server of this Airflow."""
    return make_app(JobsApi(partial(create_session, scoped=False), Looker(connect), Documents(connect)))


def static(name: str) -> FileResponse:
    """Give a file of the bundle; the browser asks each time whether it has changed."""
    if name not in _FILES:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    return FileResponse(STATIC / name, media_type=_FILES[name], headers={"Cache-Control": "no-cache"})


def connect(card: JobCard) -> Services:
    """Reach SageMaker, its logs and S3 as the card's task does."""
    return _services(card.aws_conn_id, card.region_name, card.verify)


@lru_cache(_WAYS)
def _services(aws_conn_id: str | None, region_name: str | None, verify: bool | str | None) -> Services:
    hook = PacedHook(aws_conn_id=aws_conn_id, region_name=region_name, verify=verify)
    return hook.services()


@contextmanager
def _in_words(service: str) -> Iterator[None]:
    """Answer with words for a person where a service did not."""
    try:
        yield
    except NotInTime as late:
        raise HTTPException(status.HTTP_504_GATEWAY_TIMEOUT, f"{service} did not answer in time") from late
    except Exception as error:  # whatever it is, it is shown, and the rest of the page stands
        raise HTTPException(status.HTTP_502_BAD_GATEWAY, worded(error)) from error
