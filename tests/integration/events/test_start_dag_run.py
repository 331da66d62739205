"""The Lambda function that starts DAG runs, where Airflow does not answer as it should.

That it starts runs of a real Airflow is tested beside that Airflow (tests/e2e/airflow/test_events.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.events.arrivals import arrivals
from tests.queues import invoked
from tests.unit.events.test_arrivals import NOTIFICATION, notified

FUNCTION = "start_dag_run"
EVENT = {"Records": [NOTIFICATION]}
MOVED = (301, 302, 303, 307)


class Airflow:
    """Gives tokens t1, t2, ..., and one answer after another to calls that start runs; 200 once all are given."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.logins: list[Any] = []
        self.calls: list[tuple[str, str, Any]] = []

    def answer(self, path: str, authorization: str, body: Any) -> tuple[int, dict[str, Any]]:
        if path == "/auth/token":
            self.logins.append(body)
            return 201, {"access_token": f"t{len(self.logins)}"}
        self.calls.append((path, authorization, body))
        return (self.answers.pop(0) if self.answers else 200), {}


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    airflow = Airflow()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, said = airflow.answer(self.path, self.headers.get("Authorization", ""), body)
            self.send_response(status)
            if status in MOVED:
                self.send_header("Location", self.path)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    airflow.url = f"http://127.0.0.1:{server.server_port}"
    yield airflow
    server.shutdown()
    server.server_close()


def variables(airflow: Airflow, **more: str) -> dict[str, str]:
    user = {"AIRFLOW_USERNAME": "lambda", "AIRFLOW_PASSWORD": "secret"}
    return {"AIRFLOW_URL": f"{airflow.url}/", "DAG_ID": "on arrival", "NO_PROXY": "127.0.0.1", **user, **more}


def queued(*events: Any) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{number}", "eventSource": "aws:sqs", "body": json.dumps(event)}
            for number, event in enumerate(events)
        ]
    }


def test_a_run_is_named_by_the_object_and_given_what_is_known_of_it(airflow: Airflow, tmp_path: Path) -> None:
    (arrival,) = arrivals(EVENT)

    invoked(tmp_path, FUNCTION, variables(airflow), EVENT)

    ((path, authorization, body),) = airflow.calls
    assert path == "/api/v2/dags/on%20arrival/dagRuns"
    assert authorization == "Bearer t1"
    assert body == {
        "dag_run_id": f"arrival__{arrival.id}", "logical_date": None, "conf": {"events": [arrival.to_dict()]},
    }  # fmt: skip
    assert airflow.logins == [{"username": "lambda", "password": "secret"}]


def test_a_token_serves_until_it_is_refused(airflow: Airflow, tmp_path: Path) -> None:
    airflow.answers = [200, 200, 401, 200]

    invoked(tmp_path, FUNCTION, variables(airflow), EVENT, EVENT, EVENT)

    assert [authorization for _, authorization, _ in airflow.calls] == ["Bearer t1"] * 3 + ["Bearer t2"]


def test_a_token_of_ones_own_is_taken(airflow: Airflow, tmp_path: Path) -> None:
    invoked(tmp_path, FUNCTION, variables(airflow, AIRFLOW_TOKEN="mine"), EVENT)

    assert airflow.calls[0][1] == "Bearer mine"
    assert airflow.logins == []


def test_a_run_that_is_there_is_done_and_what_airflow_fails_at_comes_again(airflow: Airflow, tmp_path: Path) -> None:
    airflow.answers = [409, 500, 404]
    events = [notified(key=key) for key in ("a.csv", "b.csv", "c.csv", "d.csv")]

    (answer,) = invoked(tmp_path, FUNCTION, variables(airflow), queued(*events))

    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m1", "m2"]


@pytest.mark.parametrize("status", MOVED)
def test_an_airflow_that_is_elsewhere_is_no_run_that_was_started(status: int, airflow: Airflow, tmp_path: Path) -> None:
    airflow.answers = [status]

    (answer,) = invoked(tmp_path, FUNCTION, variables(airflow), queued(EVENT))

    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m0"]


def test_s3_itself_is_told_of_a_failure(airflow: Airflow, tmp_path: Path) -> None:
    airflow.answers = [503]

    with pytest.raises(AssertionError, match="503"):
        invoked(tmp_path, FUNCTION, variables(airflow), EVENT)
