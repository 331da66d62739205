"""The page of jobs asks a real Airflow: for who has logged in, and no further than that user may read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from tests.fake_batch import FakeBatch
from tests.fake_sagemaker import REQUEST
from tests.integration.airflow.conftest import RunDag

pytestmark = pytest.mark.airflow

# A user who may read everything, one who may read DAGs whose names begin so, and one who may not read tasks.
EVERYTHING, SOME, NO_TASKS = "everything", "open", "no-tasks"


@pytest.fixture
def client(airflow_database: None) -> Iterator[Any]:
    """The plugin's server, below an Airflow whose users are their tokens."""
    from airflow.api_fastapi import app as airflow_app
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from jwt import InvalidTokenError

    from airflow_batchtx.plugin.entry import BatchtxPlugin

    class ByDag(SimpleAuthManager):
        async def get_user_from_token(self, token: str) -> Any:
            if token not in (EVERYTHING, SOME, NO_TASKS):
                raise InvalidTokenError
            return SimpleAuthManagerUser(username=token, role="viewer")

        def is_authorized_dag(self, *, method: str, user: Any, access_entity: Any = None, details: Any = None) -> bool:
            if user.username == NO_TASKS:
                return access_entity is None
            dag_id = details.id if details else None
            return method == "GET" and (dag_id is None or user.username == EVERYTHING or dag_id.startswith(SOME))

        def filter_authorized_dag_ids(self, *, dag_ids: set[str], user: Any, **_: Any) -> set[str]:
            return {dag_id for dag_id in dag_ids if user.username == EVERYTHING or dag_id.startswith(SOME)}

    state, before = airflow_app._AuthManagerState, airflow_app._AuthManagerState.instance
    state.instance = ByDag()
    root = FastAPI()
    (served,) = BatchtxPlugin.fastapi_apps
    root.mount(served["url_prefix"], served["app"])
    with TestClient(root) as client:
        yield client
    state.instance = before


def ask(client: Any, path: str, user: str | None = EVERYTHING, **params: Any) -> Any:
    headers = {} if user is None else {"Authorization": f"Bearer {user}"}
    return client.get(f"/batchtx/api/{path}", headers=headers, params=params)


def dag(name: str, bucket: str, **options: Any) -> DAG:
    request = {
        **REQUEST,
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}},
        "TransformOutput": {"S3OutputPath": f"s3://{bucket}/{name}/"},
    }
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as made:
        BatchTransformOperator(task_id="score", job=request, poll_interval=0.1, deferrable=False, **options)
    return made


PATHS = ("jobs", "dags/d/runs/r/tasks/t/-1", "dags/d/runs/r/tasks/t/-1/mapping", "dags/d/runs/r/tasks/t/-1/log")


@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_told_anything_without_a_login(client: Any, path: str) -> None:
    assert ask(client, path, user=None).status_code == 401
    assert ask(client, path, user="forged").status_code == 403


def test_jobs_are_shown_to_who_may_read_their_dag(
    client: Any, run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    run_dag(dag("open_churn", bucket))
    run_dag(dag("secret_churn", bucket))

    everything = ask(client, "jobs").json()
    some = ask(client, "jobs", SOME).json()

    assert {"open_churn", "secret_churn"} <= set(everything["dags"])
    assert set(some["dags"]) == {name for name in everything["dags"] if name.startswith(SOME)}
    assert {job["dag_id"] for job in some["jobs"]} == set(some["dags"])
    assert ask(client, "jobs", SOME, dag_id="secret_churn").status_code == 403
    assert ask(client, "jobs", NO_TASKS).status_code == 403
    secret = next(job for job in everything["jobs"] if job["dag_id"] == "secret_churn")
    for more in ("", "/mapping", "/log"):
        path = f"dags/secret_churn/runs/{secret['run_id']}/tasks/score/-1{more}"
        assert ask(client, path).status_code == 200, path
        assert ask(client, path, SOME).status_code == 403, path
        assert ask(client, path, NO_TASKS).status_code == 403, path


def test_a_finished_job_is_shown_without_a_call(
    client: Any, run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    run_dag(dag("open_finished", bucket))
    sagemaker.calls.clear()

    (job,) = ask(client, "jobs", dag_id="open_finished").json()["jobs"]

    assert sagemaker.calls == []
    assert (job["state"], job["task_state"], job["done"], job["total"]) == ("Completed", "success", 3, 3)
    assert job["links"]["job"].endswith(f"/jobs/us-east-1/{job['job_name']}")
    path = f"dags/open_finished/runs/{job['run_id']}/tasks/score/-1"
    told = ask(client, path).json()["job"]
    assert (told["input"], told["output"]) == (f"s3://{bucket}/in/", f"s3://{bucket}/open_finished/")
    mapping = ask(client, f"{path}/mapping").json()
    assert (mapping["proved"], mapping["total"]) == (True, 3)
    assert mapping["pairs"][0]["output"] == f"s3://{bucket}/open_finished/a.csv.out"
    assert ask(client, f"{path}/mapping", page=1).json()["pairs"] == []


def test_a_failed_job_says_why_and_what_its_log_says(
    client: Any, run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    sagemaker.life, sagemaker.reason = ("InProgress", "Failed"), "ClientError: see the job logs"
    run_dag(dag("open_failed", bucket))

    (job,) = ask(client, "jobs", dag_id="open_failed", state="Failed").json()["jobs"]
    log = ask(client, f"dags/open_failed/runs/{job['run_id']}/tasks/score/-1/log").json()

    assert "no column x" in job["reason"]
    assert [one["status"] for one in log["failed"]] == [400]
    assert log["lines"][-1]["text"].endswith("no column x")


def test_a_job_that_nobody_waits_for_is_asked_for(
    client: Any, run_dag: RunDag, sagemaker: FakeBatch, bucket: str
) -> None:
    sagemaker.life = ("InProgress",)
    run_dag(dag("open_running", bucket, wait_for_completion=False))
    sagemaker.calls.clear()

    page = ask(client, "jobs", dag_id="open_running").json()
    ask(client, "jobs", dag_id="open_running")

    assert page["states"] == {"NotFollowed": 1}
    assert page["jobs"][0]["state"] == "InProgress"
    assert len(sagemaker.names("DescribeTransformJob")) == 1


def test_a_task_without_a_job_has_none(client: Any) -> None:
    found = ask(client, "dags/open/runs/none/tasks/at_all/-1")

    assert (found.status_code, found.json()["detail"]) == (404, "This task has no transform job")


@pytest.mark.parametrize("wrong", [{"sort": "colour"}, {"page": -1}, {"page": "x"}])
def test_what_makes_no_sense_is_refused(client: Any, wrong: dict[str, Any]) -> None:
    assert ask(client, "jobs", **wrong).status_code == 422


def test_the_bundle_is_served_and_nothing_beside_it(client: Any) -> None:
    found = client.get("/batchtx/static/page.js")

    assert (found.status_code, found.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    for name in ("../server.py", "page.css", "..%2Fserver.py", "%2e%2e/server.py"):
        assert client.get(f"/batchtx/static/{name}").status_code == 404
