"""What a task tells Airflow's page of jobs: as soon as it has a job, and again at the job's end."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow.sdk import BaseXCom, Context

from airflow_batchtx.links.batch_transform import place_of
from airflow_batchtx.spec.card import CARD, JobCard

log = logging.getLogger(__name__)


def publish_card(context: Context, made: Callable[[], JobCard]) -> None:
    """Let the page of jobs know what `made` gives of a task's job. That it cannot is only warned of.

    It goes past a custom XCom backend, into the database that the page asks.
    """
    try:
        BaseXCom.set(key=CARD, value=made().to_dict(), **place_of(context["ti"]))
    except Exception as error:  # noqa: BLE001 - the job runs and is paid for: a page must not be what fails its task
        log.warning("Airflow's page of transform jobs will not show what became of this task's job: %r", error)
