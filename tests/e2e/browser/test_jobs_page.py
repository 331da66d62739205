"""The page of transform jobs, and the tab of a task for its own, in Airflow's UI as a person sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from tests.e2e.airflow.api import Run

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.e2e.browser.conftest import Picture
    from tests.e2e.browser.users_airflow import UsersAirflow

DAG, TASK = "score_on_demand", "transform"
JOBS = "/plugin/transform-jobs"
# The job that runs for as long as the tests look at it.
LASTING = {"BATCHTX_FAULTS": json.dumps({"provisioning_seconds": 4, "transform_seconds": 600})}
FAILING = {"BATCHTX_FAULTS": json.dumps({"capacity_error": True})}
# Seconds. What takes ten on an idle machine takes what it takes beside other tests.
PATIENCE = 180
WIDE = {"width": 1440, "height": 860}


@dataclass(frozen=True)
class Runs:
    """Runs of the DAG: one whose job has Completed, one whose job runs, and one whose job has failed."""

    finished: Run
    running: Run
    failed: Run


def until(what: Callable[[], Any], whatever: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, f"never seen: {whatever}"
        time.sleep(0.5)
    return found


@pytest.fixture(scope="module")
def runs(airflow: UsersAirflow) -> Iterator[Runs]:
    api = airflow.api
    until(lambda: DAG in api.dags(), f"the DAG {DAG}")
    made = [api.trigger(DAG, conf) for conf in ({}, {"environment": LASTING}, {"environment": FAILING})]
    runs = Runs(*made)
    until(lambda: api.run_state(runs.finished) == "success", "a run that succeeds")
    until(lambda: api.xcom(runs.failed, TASK, "batchtx_job"), "a job that fails")
    until(lambda: _status(airflow, runs.running) == "InProgress", "a job that runs")
    until(lambda: _status(airflow, runs.failed) == "Failed", "a job that has failed")
    yield runs
    for run in (runs.running, runs.failed):
        api.fail_run(run)


def _status(airflow: UsersAirflow, run: Run) -> str | None:
    """How the job of a run is, where it has begun to transform."""
    if (name := airflow.api.xcom(run, TASK, "job_name")) is None:
        return None
    job = airflow.engine.sagemaker().describe_transform_job(TransformJobName=name)
    begun = "TransformStartTime" in job or job["TransformJobStatus"] == "Failed"
    return str(job["TransformJobStatus"]) if begun else None


def row(page: Page, run: Run) -> Locator:
    """The row of a run's job."""
    return page.get_by_role("row").filter(has=page.get_by_title(run.run_id))


def order(page: Page, runs: Runs) -> list[str]:
    """The runs in the order of their rows: a busy machine makes their jobs in any."""
    names = [run.run_id for run in (runs.finished, runs.running, runs.failed)]
    return [name for shown in page.locator("tbody tr").all_inner_texts() for name in names if name in shown]


def tab_of(run: Run) -> str:
    return f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/{TASK}/plugin/transform-job"


def dark(page: Page) -> None:
    """Choose Airflow's dark mode, where Airflow keeps what a user has chosen."""
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()


def colour(shown: Locator) -> str:
    """The colour that its text has."""
    return str(shown.evaluate("node => getComputedStyle(node).color"))


def test_who_has_not_logged_in_is_told_nothing(airflow: UsersAirflow, runs: Runs) -> None:
    for path in ("jobs", f"dags/{DAG}/runs/{runs.finished.run_id}/tasks/{TASK}/-1"):
        answer = httpx.get(f"{airflow.url}/batchtx/api/{path}", trust_env=False)

        assert answer.status_code == 401
        assert DAG not in answer.text


def test_the_page_lists_jobs_that_run_and_jobs_that_have_ended(page: Page, runs: Runs, picture: Picture) -> None:
    page.set_viewport_size(WIDE)
    page.goto("/")
    page.get_by_role("link", name="Transforms").click()
    page.get_by_role("heading", name="Transform jobs").wait_for()

    finished, running, failed = (row(page, run) for run in (runs.finished, runs.running, runs.failed))
    finished.get_by_text("Completed", exact=True).wait_for()
    running.get_by_text("In progress", exact=True).wait_for()
    failed.get_by_text("Failed", exact=True).wait_for()
    assert "CapacityError" in failed.inner_text()
    assert "1 of 1" in finished.inner_text()
    assert finished.get_by_role("img", name="of transform").get_attribute("aria-label").endswith("of transform")
    assert "of provisioning" in running.get_by_role("img", name="running").get_attribute("aria-label")
    assert finished.get_by_role("link", name="Job of").get_attribute("href").startswith("http://")
    picture("jobs-page", page)


def test_it_looks_at_home_in_the_dark(page: Page, runs: Runs, picture: Picture) -> None:
    page.set_viewport_size(WIDE)
    page.goto(JOBS)
    heading = page.get_by_role("heading", name="Transform jobs")
    in_the_light = colour(heading)
    dark(page)
    row(page, runs.finished).wait_for()

    assert colour(heading) == colour(page.locator("body")) != in_the_light
    picture("jobs-page-dark", page)


def test_jobs_are_filtered_by_dag_and_state_and_the_address_keeps_that(page: Page, runs: Runs) -> None:
    page.goto(JOBS)
    row(page, runs.finished).wait_for()

    page.get_by_role("combobox", name="State").select_option("Failed")
    row(page, runs.finished).wait_for(state="detached")
    row(page, runs.failed).wait_for()
    assert "state=Failed" in page.url
    page.get_by_role("combobox", name="DAG").select_option(DAG)
    page.wait_for_url("**dag_id=**")
    page.reload()
    row(page, runs.failed).wait_for()
    assert row(page, runs.finished).count() == 0
    page.get_by_role("combobox", name="State").select_option("")
    row(page, runs.finished).wait_for()


def test_it_is_sorted_by_the_keyboard(page: Page, runs: Runs) -> None:
    page.goto(JOBS)
    row(page, runs.finished).wait_for()
    header = page.get_by_role("columnheader", name="Created")
    assert header.get_attribute("aria-sort") == "descending"
    newest_first = order(page, runs)

    header.get_by_role("button").focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**descending=false**")
    page.locator("th[aria-sort=ascending]").wait_for()
    until(lambda: order(page, runs) == newest_first[::-1], "the oldest job first")


def test_a_job_leads_to_its_task_and_the_tab_tells_all_of_it(page: Page, runs: Runs, picture: Picture) -> None:
    page.goto(JOBS)
    row(page, runs.finished).get_by_role("link", name=TASK, exact=True).click()
    page.wait_for_url("**/plugin/transform-job")

    table = page.get_by_role("table", name="Inputs and outputs")
    table.get_by_text("Written").first.wait_for()
    assert "/with-id/" in table.inner_text()
    assert ".out" in table.inner_text()
    page.get_by_text("As the job's record proves.").wait_for()
    page.get_by_role("log").get_by_text("data-log").first.wait_for()
    page.get_by_text("ml.m5.large").wait_for()
    page.set_viewport_size({"width": 1440, "height": 1250})
    picture("job-tab", page)
    dark(page)
    page.get_by_role("log").wait_for()
    picture("job-tab-dark", page)


def test_the_tab_of_a_running_job_shows_what_is_planned(page: Page, runs: Runs) -> None:
    page.goto(tab_of(runs.running))

    page.get_by_text("In progress").first.wait_for()
    page.get_by_role("table", name="Inputs and outputs").get_by_text("Planned").first.wait_for()


def test_a_task_that_is_chosen_shows_nothing_of_the_one_before(page: Page, runs: Runs) -> None:
    page.goto(tab_of(runs.finished))
    page.get_by_role("log").wait_for()
    page.route(
        f"**/batchtx/api/**/{quote(runs.failed.run_id, safe='')}/**", lambda route: route.fulfill(status=404, json={})
    )

    # As Airflow goes from one task to another: without a new page.
    page.evaluate(
        "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }", tab_of(runs.failed)
    )

    page.get_by_text("This task has no transform job").wait_for()
    assert page.get_by_role("log").count() == 0


def test_a_task_without_a_job_says_what_would_be_here(page: Page, airflow: UsersAirflow, runs: Runs) -> None:
    page.goto(f"/dags/{DAG}/runs/{runs.finished.run_id}/tasks/nobody/plugin/transform-job")

    page.get_by_text("This task has no transform job").or_(page.get_by_text("404")).first.wait_for()
