"""AWS Lambda: start a DAG run for every object that arrives in S3, over Airflow's REST API.

The run's id is made of the object's write: who is told twice of one finds the run that there is. Python alone is
needed; docs/events.md says what goes into the function, how it is configured and what may invoke it.

Environment: AIRFLOW_URL, such as https://airflow.example.com, and DAG_ID. AIRFLOW_TOKEN, or AIRFLOW_USERNAME and
AIRFLOW_PASSWORD, for which a token is asked of /auth/token and kept until Airflow refuses it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

from airflow_batchtx.events.arrivals import Arrival
from airflow_batchtx.events.delivery import delivered

log = logging.getLogger()
log.setLevel(logging.INFO)

SECONDS = 20  # for an answer
tokens: list[str] = []  # the one that is good, for as long as this process lives


class Unmoved(HTTPRedirectHandler):
    """Follows no redirection: a POST would come there as a GET, which starts nothing, and the token with it."""

    def redirect_request(self, *_: Any) -> None:
        """Leave the answer the error that it is."""


opener = build_opener(Unmoved)


def handler(event: Mapping[str, Any], _context: object = None) -> dict[str, Any]:
    """Handle an event of S3, of EventBridge, or of a queue of either."""
    return delivered(event, start)


def start(arrival: Arrival) -> None:
    """Start a run of the DAG with the arrival as its conf, unless it was started before."""
    dag_id, run_id = os.environ["DAG_ID"], f"arrival__{arrival.id}"
    run = {"dag_run_id": run_id, "logical_date": None, "conf": {"events": [arrival.to_dict()]}}
    try:
        post(f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns", run)
    except HTTPError as error:
        if error.code != HTTPStatus.CONFLICT:
            raise
        log.info("%s of %s was started before", run_id, dag_id)
    else:
        log.info("%s of %s is started for %s", run_id, dag_id, arrival.uri)


def post(path: str, body: Mapping[str, Any]) -> None:
    """Call Airflow; once more, with a new token, where it does not take the one that is at hand."""
    if not tokens:
        tokens.append(token())
    try:
        send(path, body, {"Authorization": f"Bearer {tokens[-1]}"})
    except HTTPError as error:
        if error.code != HTTPStatus.UNAUTHORIZED:
            raise
        tokens[:] = [token()]
        send(path, body, {"Authorization": f"Bearer {tokens[-1]}"})


def token() -> str:
    """Give the token that the function is configured with, or one for its user."""
    if known := os.environ.get("AIRFLOW_TOKEN"):
        return known
    user = {"username": os.environ["AIRFLOW_USERNAME"], "password": os.environ["AIRFLOW_PASSWORD"]}
    return str(send("/auth/token", user, {})["access_token"])


def send(path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """Post JSON, and give the answer's; HTTPError where it is no success."""
    url = os.environ["AIRFLOW_URL"].rstrip("/") + path
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    with opener.open(request, timeout=SECONDS) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
