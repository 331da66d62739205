"""The form of `score_on_demand`, as a person meets it: filled in, refused, sent, and followed to its result."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.airflow.api import Run
from tests.e2e.browser.users_airflow import UsersAirflow
from tests.engines import Desk, Invocation, Models, Reply

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from tests.e2e.browser.conftest import Picture

pytestmark = pytest.mark.e2e_airflow

DAG, TASK = "score_on_demand", "transform"
PATIENTS = 57
TALL, WIDE = {"width": 1120, "height": 1080}, {"width": 1440, "height": 720}
ENDS_WITHIN = 180


# ------------------------------------------------------------------------------------------------ in the browser


def test_a_person_logs_in(browser: Browser, airflow: UsersAirflow) -> None:
    with browser.new_context(base_url=airflow.url, locale="en-US") as stranger:
        page = stranger.new_page()
        page.goto(f"/dags/{DAG}")
        page.locator("input[name=username]").fill(airflow.user)
        page.locator("input[name=password]").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()

        page.get_by_test_id("trigger-dag-button").first.wait_for()


def test_the_form_shows_what_a_job_takes(page: Page, picture: Picture) -> None:
    page.set_viewport_size(TALL)
    form = opened(page)
    picture("form", page)

    assert value(form, "model_name") == "breast-cancer"
    assert value(form, "instance_type") == "ml.m5.large"
    assert form.get_by_text("Left empty, the DAG chooses.").count() == 2
    link = form.get_by_role("link", name="InstanceType", exact=True)
    assert str(link.get_attribute("href")).endswith(
        "API_TransformResources.html#sagemaker-Type-TransformResources-InstanceType"
    )
    section(form, "Filters and join")
    assert (value(form, "input_filter"), value(form, "output_filter")) == ("$[1:]", "$[0,-1]")
    assert "Input" in form.locator("#element_join_source").inner_text()
    form.locator("#element_output_filter").scroll_into_view_if_needed()
    picture("form-section", page)


def test_the_form_refuses_wrong_values_with_the_reason(page: Page, airflow: UsersAirflow, picture: Picture) -> None:
    before = runs(airflow)
    form = opened(page)

    form.locator("#element_model_name").fill("breast_cancer")
    submit(form)
    refusal = form.get_by_text("'breast_cancer' does not match")
    refusal.scroll_into_view_if_needed()
    picture("form-refused", page)

    count = form.locator("input[name=element_instance_count]")
    count.fill("1000")
    count.blur()
    assert count.input_value() == "100"
    form.locator("#element_model_name").fill("")
    assert form.get_by_text("This field is required").is_visible()
    assert form.get_by_test_id("trigger-dag-submit").is_disabled()
    assert runs(airflow) == before


def test_a_person_scores_from_the_form(page: Page, airflow: UsersAirflow, models: Models, picture: Picture) -> None:
    looked = threading.Event()

    def model(asked: Invocation) -> Reply:
        looked.wait(ENDS_WITHIN)
        return 200, b"0.25\n" * asked.body.count(b"\n")

    page.set_viewport_size(WIDE)
    form = opened(page)
    form.locator("#element_model_name").fill(Desk(airflow.engine, models, airflow.bucket).model(models.scripted(model)))
    section(form, "Requests to the model")
    choose(form, "batch_strategy", "MultiRecord")
    form.locator("input[name=element_max_payload_in_mb]").fill("2")
    submit(form)
    page.wait_for_url(f"**/dags/{DAG}/runs/*")
    run = Run(DAG, runs(airflow)[0])
    until(lambda: airflow.api.task(run, TASK).state == "deferred", "the job to run")

    page.goto(f"/dags/{DAG}/runs/{run.run_id}/tasks/{TASK}/details")
    link = page.locator(f"a[href^='{airflow.engine.url}/jobs/']", has_text="Transform job")
    link.wait_for()
    picture("task-running", page)
    with page.expect_popup() as opening:
        link.click()
    job = opening.value
    job.locator("h1", has_text="InProgress").wait_for()
    looked.set()

    until(lambda: airflow.api.run_state(run) == "success", "the run to end")
    job.locator("h1", has_text="Completed").wait_for()
    assert "batch.csv.out" in job.locator("#objects + .wide").inner_text()
    picture("job-done", job)
    name = airflow.api.xcom(run, TASK, "job_name")
    described = airflow.engine.sagemaker().describe_transform_job(TransformJobName=name)
    assert (described["BatchStrategy"], described["MaxPayloadInMB"]) == ("MultiRecord", 2)
    assert "MaxConcurrentTransforms" not in described
    assert {score for _, score in scored(airflow, run)} == {"0.25"}


def opened(page: Page) -> Locator:
    page.goto(f"/dags/{DAG}")
    page.get_by_test_id("trigger-dag-button").first.click()
    form = page.get_by_role("dialog")
    form.locator("#element_model_name").wait_for()
    return form


def value(form: Locator, field: str) -> str:
    return form.locator(f"#element_{field}").input_value()


def submit(form: Locator) -> None:
    form.get_by_test_id("trigger-dag-submit").click()


def section(form: Locator, name: str) -> None:
    form.get_by_role("button", name=name, exact=True).click()


def choose(form: Locator, field: str, value: str) -> None:
    form.locator(f"#element_{field}").click()
    form.get_by_role("option", name=value, exact=True).click()


# ------------------------------------------------------------------------------------- what the form stands before


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"instance_type": "m5.large"}, "'m5.large' does not match"),
        ({"instance_count": 101}, "101 is greater than the maximum of 100"),
        ({"split_type": "Row"}, "'Row' is not one of"),
        ({"input": "bucket/in/"}, "'bucket/in/' does not match"),
        ({"environment": {"1": "x"}}, "'1' does not match"),
        ({"model_name": None}, "None is not of type 'string'"),
    ],
)
def test_a_wrong_value_is_refused_before_there_is_a_run(conf: dict[str, Any], said: str, airflow: UsersAirflow) -> None:
    headers = {"Authorization": f"Bearer {airflow.token}"}
    before = runs(airflow)

    answer = httpx.post(
        f"{airflow.url}/api/v2/dags/{DAG}/dagRuns",
        json={"logical_date": None, "conf": conf},
        headers=headers,
        trust_env=False,
        timeout=60,
    )

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert said in answer.json()["detail"]
    assert runs(airflow) == before


def test_what_is_wrong_together_fails_the_task_before_there_is_a_job(airflow: UsersAirflow) -> None:
    jobs = created(airflow)

    run = airflow.api.trigger(
        DAG, {"max_payload_in_mb": 50, "max_concurrent_transforms": 4, "accept": "application/json", "split_type": None}
    )

    until(lambda: airflow.api.run_state(run) == "failed", "the run to fail")
    log = "".join(path.read_text() for path in (airflow.home / "logs" / f"dag_id={DAG}").rglob("*.log"))
    for told in (
        "max_concurrent_transforms (MaxConcurrentTransforms) x max_payload_in_mb (MaxPayloadInMB) = 200",
        "must be at most 100 MB on an instance",
        "must equal content_type (TransformInput.ContentType)",
        "must be Line for filters and joins on text/csv",
    ):
        assert told in log
    assert created(airflow) == jobs


def test_a_run_without_a_date_scores_as_the_form_stands(airflow: UsersAirflow) -> None:
    run = airflow.api.trigger(DAG, {})

    until(lambda: airflow.api.run_state(run) == "success", "the run to end")
    assert len({score for _, score in scored(airflow, run)}) > PATIENTS / 2


# -------------------------------------------------------------------------------------------------------- in common


def runs(airflow: UsersAirflow) -> list[str]:
    """The runs of the DAG, the newest first."""
    found = airflow.api.get(f"/dags/{DAG}/dagRuns", order_by="-run_after", limit=100)["dag_runs"]
    return [run["dag_run_id"] for run in found]


def created(airflow: UsersAirflow) -> int:
    """How many jobs the engine was asked for."""
    return airflow.engine.calls().get("us-east-1", {}).get("CreateTransformJob", 0)


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + ENDS_WITHIN
    while not true():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.2)


def scored(airflow: UsersAirflow, run: Run) -> list[list[str]]:
    """Each patient's number, which has come back with a probability in a folder of the run's own."""
    key = f"{DAG.replace('_', '-')}/{run.run_id}/batch.csv.out"
    body = airflow.engine.s3.get_object(Bucket=airflow.bucket, Key=key)["Body"].read().decode()
    rows = list(csv.reader(io.StringIO(body)))
    assert [int(number) for number, _ in rows] == list(range(569 - PATIENTS + 1, 570))
    assert all(0 <= float(score) <= 1 for _, score in rows)
    return rows
