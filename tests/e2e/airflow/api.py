"""What the tests ask of Airflow's REST API, typed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx


@dataclass(frozen=True)
class Task:
    """A task instance as Airflow shows it; `pid` is the process that runs the task's code, or ran it last."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    max_tries: int
    pid: int | None
    id: str
    triggerer: int | None
    """The number of the triggerer that waits for it; None where none does."""

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Task:
        names = ("task_id", "map_index", "state", "try_number", "max_tries", "pid", "id")
        return cls(**{name: said[name] for name in names}, triggerer=(said["trigger"] or {}).get("triggerer_id"))


@dataclass(frozen=True)
class Run:
    """A DAG run."""

    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        return f"/dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}"


class AirflowApi:
    """The API of one Airflow, for any number of threads."""

    def __init__(self, url: str) -> None:
        # No proxy of the machine comes between; SQLite makes writers wait for each other.
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)
        self.token = ""
        self._one_at_a_time = threading.Lock()

    def close(self) -> None:
        self._http.close()

    def log_in(self, user: str = "", password: str = "") -> None:
        """Get a token from an Airflow that is up; it is good for a day. No user where it asks nobody for a password."""
        said = {"username": user, "password": password}
        answer = self._http.post("/auth/token", json=said) if user else self._http.get("/auth/token")
        self.token = _json(answer)["access_token"]

    def healthy(self) -> bool:
        found = self._http.get("/api/v2/monitor/health").json()
        return all(
            found[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        )

    def dags(self) -> list[str]:
        """Which DAGs are there, and parse."""
        errors = self.get("/importErrors")["import_errors"]
        assert not errors, "\n".join(error["stack_trace"] for error in errors)
        return [dag["dag_id"] for dag in self.get("/dags")["dags"]]

    # ------------------------------------------------------------------------------------------------------ runs

    def trigger(self, dag_id: str, conf: Mapping[str, Any], day: datetime | None = None) -> Run:
        """Start a run, of a day or of none."""
        said = self.post(f"/dags/{dag_id}/dagRuns", {"logical_date": day and day.isoformat(), "conf": dict(conf)})
        return Run(dag_id, said["dag_run_id"])

    def run_state(self, run: Run) -> str:
        return str(self.get(run.path)["state"])

    def fail_run(self, run: Run) -> None:
        """Set a run to failed, as a person does in the UI."""
        self.patch(run.path, {"state": "failed"})

    def backfill(self, dag_id: str, first: datetime, last: datetime, conf: Mapping[str, Any], reprocess: str) -> None:
        """Backfill the days from first to last, both of them included; `reprocess` is none, failed or completed."""
        body = {
            "dag_id": dag_id,
            "from_date": first.isoformat(),
            "to_date": last.isoformat(),
            "dag_run_conf": dict(conf),
            "reprocess_behavior": reprocess,
        }
        self.post("/backfills", body)

    # ----------------------------------------------------------------------------------------------------- tasks

    def task(self, run: Run, task_id: str, map_index: int = -1) -> Task:
        where = f"/{map_index}" if map_index >= 0 else ""
        return Task.read(self.get(f"{run.path}/taskInstances/{task_id}{where}"))

    def tasks(self, run: Run, task_id: str) -> list[Task]:
        """All instances of a task, by map index."""
        said = self.get(f"{run.path}/taskInstances", limit=1000)["task_instances"]
        return sorted((Task.read(one) for one in said if one["task_id"] == task_id), key=lambda task: task.map_index)

    def clear(self, run: Run, tasks: Sequence[str | tuple[str, int]], *, downstream: bool = False) -> None:
        """Clear tasks, or instances of mapped ones, whatever they do, and let the run go on."""
        body = {
            "dry_run": False,
            "dag_run_id": run.run_id,
            "task_ids": list(tasks),
            "only_failed": False,
            "include_downstream": downstream,
        }
        self.post(f"/dags/{run.dag_id}/clearTaskInstances", body)

    def mark_failed(self, run: Run, task_id: str, map_index: int = -1) -> None:
        where = f"/{map_index}" if map_index >= 0 else ""
        self.patch(f"{run.path}/taskInstances/{task_id}{where}", {"new_state": "failed"})

    def xcom(self, run: Run, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """The value of an XCom; None where there is none."""
        path = f"{run.path}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self._call("GET", path, params={"map_index": map_index, "deserialize": False})
        return None if answer.status_code == httpx.codes.NOT_FOUND else _json(answer)["value"]

    def links(self, run: Run, task_id: str) -> dict[str, str | None]:
        """The extra links of a task, by name."""
        return dict(self.get(f"{run.path}/taskInstances/{task_id}/links")["extra_links"])

    # ----------------------------------------------------------------------------------------------------- calls

    def get(self, path: str, **params: Any) -> Any:
        return _json(self._call("GET", path, params=params))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._write("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._write("PATCH", path, body)

    def _write(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        # Two calls that write at once wait for each other in the server, until SQLite loses its patience.
        with self._one_at_a_time:
            return _json(self._call(method, path, json=body))

    def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self._http.request(method, f"/api/v2{path}", headers=headers, **request)


def _json(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()
