"""The pages as a browser gets them, over a registry and folders that no engine runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from airflow_batchtx.engine import worklist
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.logs import FileLogs, object_lines
from airflow_batchtx.engine.pages.outputs import Outputs
from airflow_batchtx.engine.pages.site import Site
from airflow_batchtx.engine.registry import Job, Model, Registry
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

NOW = 1_795_655_142.0
HOSTILE = """<script>alert("x")</script>'"><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}"""
# What a page is made of; nothing that runs, and nothing that is fetched from elsewhere.
TAGS = frozenset({
    "html", "head", "meta", "link", "title", "style", "body", "header", "main", "nav", "section", "div", "span", "a",
    "b", "i", "small", "p", "h1", "h2", "table", "caption", "thead", "tbody", "tr", "th", "td", "form", "input",
    "button", "dl", "dt", "dd", "pre", "details", "summary",
})  # fmt: skip


@dataclass
class Page(HTMLParser):
    """A page as a browser reads it."""

    tags: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    refresh: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        assert not any(name.startswith("on") for name in found)
        self.links += [link for name in ("href", "src", "action") if (link := found.get(name))]
        if found.get("http-equiv") == "refresh":
            self.refresh = found["content"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(filter(None, self.texts))


@dataclass
class Scene:
    """Pages over a registry, and ways to put jobs into it."""

    registry: Registry
    home: Path
    client: TestClient

    def add(self, name: str, region: str = "us-east-1", **members: Any) -> Job:
        source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}
        request = {
            "TransformJobName": name,
            "ModelName": "churn",
            "TransformInput": {"DataSource": {"S3DataSource": source}},
            "TransformOutput": {"S3OutputPath": "s3://b/out"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
            **members.pop("request", {}),
        }
        container = members.pop("container", {"Image": "image:1"})
        model = Model(region, "churn", NOW, {"ModelName": "churn", "PrimaryContainer": container})
        job = self.registry.add_job(region, name, request, model, members.pop("tags", {}))
        assert job is not None
        return job

    def start(self, job: Job, keys: list[str]) -> FileLogs:
        """Let a job have objects and start; give its logs."""
        folder = JobFolder.of(self.home, job)
        transfers = [Transfer(S3Uri("b", f"in/{key}"), S3Uri("b", f"out/{key}.out")) for key in keys]
        self.registry.note_objects(job, worklist.write(folder.objects, transfers))
        self.registry.mark_started(job)
        return FileLogs(folder.logs, lambda: NOW)

    def get(self, url: str, status: int = 200) -> Page:
        """Fetch a page and hold it to what all pages promise."""
        answer = self.client.get(url)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        page = Page()
        page.feed(answer.text)
        assert page.tags <= TAGS
        assert all(link.startswith(("/jobs", "data:,")) for link in page.links)
        return page


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    ticks = count()
    # Its clock moves a millisecond at every look.
    with closing(Registry(Path(":memory:"), lambda: NOW + next(ticks) / 1000)) as registry:
        store = InMemoryStore(buckets=["b"])
        site = Site(registry, Outputs(store, tmp_path, lambda: NOW), tmp_path, lambda: NOW + 75)
        client = TestClient(Starlette(routes=site.routes()), follow_redirects=False, raise_server_exceptions=True)
        yield Scene(registry, tmp_path, client)


def test_a_browser_is_led_to_the_jobs(scene: Scene) -> None:
    answer = scene.client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (302, "/jobs")
    assert "No job was created yet." in scene.get("/jobs").text


# ------------------------------------------------------------------------------------------------------ the list


def names(page: Page) -> list[str]:
    """Give the names of the jobs that a list shows, in order."""
    found = [link.split("/") for link in page.links if link.endswith("/logs")]
    return [parts[3] for parts in found]


def test_jobs_of_all_regions_are_listed_newest_first(scene: Scene) -> None:
    for name, region in (("first", "us-east-1"), ("second", "eu-west-1"), ("third", "us-east-1")):
        scene.add(name, region)

    page = scene.get("/jobs")

    assert names(page) == ["third", "second", "first"]
    assert "/jobs/eu-west-1/second" in page.links


@pytest.fixture
def crowd(scene: Scene) -> Scene:
    """120 jobs, every tenth of which has failed."""
    for number in range(120):
        job = scene.add(f"{'Nightly' if number % 2 else 'weekly'}-{number}")
        if number % 10 == 0:
            scene.registry.move(job, JobStatus.FAILED, "CapacityError: Unable to provision")
    return scene


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", range(119, 69, -1)),
        ("?page=2", range(69, 19, -1)),
        ("?page=3", range(19, -1, -1)),
        ("?page=4", []),
        ("?page=x", range(119, 69, -1)),
        ("?page=99999999999999999999", range(119, 69, -1)),
        ("?status=Failed", range(110, -1, -10)),
        ("?status=no-such", range(119, 69, -1)),
        ("?name=WEEKLY-11", [118, 116, 114, 112, 110]),
        ("?name=weekly-11&status=Failed", [110]),
        ("?name=nobody", []),
    ],
)
def test_the_list_is_filtered_and_paged(crowd: Scene, query: str, shown: Any) -> None:
    assert [int(name.partition("-")[2]) for name in names(crowd.get(f"/jobs{query}"))] == list(shown)


def test_the_list_counts_and_links_what_else_there_is(crowd: Scene) -> None:
    page = crowd.get("/jobs?name=ightly&page=2")

    assert "All 60 InProgress 60 Completed 0 Failed 0 Stopping 0 Stopped 0" in page.text
    assert "Page 2 of 2" in page.text
    assert {"/jobs?name=ightly", "/jobs?status=Failed&name=ightly"} <= set(page.links)
    assert "CapacityError" in crowd.get("/jobs?status=Failed").text
    assert "No job is like that." in crowd.get("/jobs?name=nobody").text
    assert "There is no such page." in crowd.get("/jobs?page=9").text


def test_ten_thousand_jobs_are_a_list_like_any_other(scene: Scene) -> None:
    for number in range(10_000):
        scene.add(f"job-{number}")

    page = scene.get("/jobs?page=200")

    assert names(page) == [f"job-{number}" for number in range(49, -1, -1)]
    assert "All 10,000" in page.text
    assert "Page 200 of 200" in page.text


def test_a_list_looks_again_while_one_of_its_jobs_runs(scene: Scene) -> None:
    job = scene.add("job")
    running = scene.get("/jobs").refresh
    scene.registry.move(job, JobStatus.COMPLETED)

    assert running == "3"
    assert scene.get("/jobs").refresh is None


# ------------------------------------------------------------------------------------------------- the page of a job


def test_a_page_tells_a_running_job(scene: Scene) -> None:
    tags = {"dag": "churn_nightly", "run": "scheduled__2026-11-25"}
    environment = {"Environment": {"TOKEN": "s3cr3t-of-the-job"}}
    container = {"Image": "image:1", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"KEY": "s3cr3t-of-the-model"}}
    job = scene.add("Job", request={**environment, "MaxPayloadInMB": 6}, container=container, tags=tags)
    sink = scene.start(job, ["a.csv", "b.csv"])
    sink.data_log("i-1", "MaxConcurrentTransforms=1")
    sink.container_log("i-1").write_text("loading\nready\n")

    page = scene.get("/jobs/us-east-1/Job")

    assert page.refresh == "3"
    for said in (
        "Job InProgress",
        job.arn,
        "0 of 2",
        "Transform 1 m 15 s so far",
        "Created 2026-11-26 01:05:42",
        "2 × ml.m5.large",  # noqa: RUF001
        "MaxPayloadInMB 6",
        "TransformInput.DataSource.S3DataSource.S3Uri s3://b/in/",
        "Environment.TOKEN hidden",
        "Container 1 of model churn Image image:1 ModelDataUrl s3://b/m.tar.gz Environment.KEY hidden",
        "Tags dag churn_nightly run scheduled__2026-11-25",
        "s3://b/in/a.csv s3://b/out/a.csv.out Waiting",
        "[sagemaker logs]: MaxConcurrentTransforms=1",
        "loading\nready",
    ):
        assert said in page.text
    assert "s3cr3t" not in page.text
    assert {"/jobs/us-east-1/Job/logs", "/jobs/us-east-1/Job/logs/i-1/data-log", "/jobs/us-east-1/Job/logs/i-1"} <= set(
        page.links
    )


def test_a_job_that_has_not_started_only_provisions(scene: Scene) -> None:
    scene.add("job")

    page = scene.get("/jobs/us-east-1/job")

    assert "Provisioning 1 m 15 s so far" in page.text
    assert "Transform 1 m" not in page.text
    assert "The input was not listed yet." in page.text
    assert "There are no logs yet." in page.text


def test_a_failed_job_says_which_objects_failed_and_why(scene: Scene) -> None:
    job = scene.add("job")
    sink = scene.start(job, ["a.csv", "b.csv"])
    for line in object_lines(S3Uri("b", "in/b.csv"), "ClientError: 400", "cannot read this"):
        sink.data_log("i-1", line)
    scene.registry.move(job, JobStatus.FAILED, "ClientError: See job logs for more information")

    page = scene.get("/jobs/us-east-1/JOB")

    assert page.refresh is None
    assert "job Failed" in page.text
    assert "ClientError: See job logs for more information" in page.text
    assert "Failed objects s3://b/in/b.csv ClientError: 400\nMessage:\ncannot read this" in page.text
    assert "s3://b/in/a.csv s3://b/out/a.csv.out No output" in page.text
    assert "s3://b/in/b.csv s3://b/out/b.csv.out Failed" in page.text


def test_objects_are_paged(scene: Scene) -> None:
    job = scene.add("job")
    scene.start(job, [f"{number:04}" for number in range(250)])
    scene.registry.move(job, JobStatus.COMPLETED)

    pages = [scene.get(f"/jobs/us-east-1/job?objects={number}") for number in (1, 3)]

    assert all("250 of 250" in page.text for page in pages)
    assert [page.text.count(".out Done") for page in pages] == [100, 50]
    assert "s3://b/in/0249 s3://b/out/0249.out Done" in pages[1].text
    assert "/jobs/us-east-1/job?objects=2#objects" in pages[0].links


def test_many_logs_are_links(scene: Scene) -> None:
    sink = scene.start(scene.add("job"), ["a"])
    for number in range(30):
        sink.container_log(f"i-{number:02}").write_text(f"words of {number:02}")

    page = scene.get("/jobs/us-east-1/job")

    assert "words of 11" in page.text
    assert "words of 12" not in page.text
    assert "/jobs/us-east-1/job/logs/i-29" in page.links


def test_whatever_a_job_holds_is_only_text(scene: Scene) -> None:
    # A name that is part of a path has no slash.
    name = HOSTILE.replace("/", "|")
    container = {"Image": HOSTILE, "Environment": {HOSTILE: HOSTILE}}
    job = scene.add(name, request={"Environment": {HOSTILE: "1"}}, container=container, tags={HOSTILE: HOSTILE})
    sink = scene.start(job, [HOSTILE])
    for line in [HOSTILE, *object_lines(S3Uri("b", f"in/{HOSTILE}"), HOSTILE, HOSTILE)]:
        sink.data_log("i-1", line)
    sink.container_log("i-1", name).write_text(HOSTILE)
    scene.registry.move(job, JobStatus.FAILED, HOSTILE)

    listed = scene.get("/jobs")
    found = scene.get(next(link for link in listed.links if link.startswith("/jobs/us-east-1/")))
    sought = scene.client.get("/jobs", params={"name": HOSTILE, "status": HOSTILE})

    # Whatever the pages are made of was checked; here it is all there.
    assert name in listed.text
    assert found.text.count(name) >= 3  # title, heading, the stream of a log
    assert (
        found.text.count(HOSTILE) >= 12
    )  # reason, image, names of variables, tag and its value, failure, logs, objects
    assert "<script" not in sought.text
    assert "<img" not in sought.text
    assert name in scene.get(f"/jobs/us-east-1/x{quote(name)}", status=404).text


# ---------------------------------------------------------------------------------------------------------- logs


def test_logs_are_plain_text(scene: Scene) -> None:
    sink = scene.start(scene.add("job"), ["a"])
    sink.container_log("i-1", "clean").write_text("<b>cleaning</b>\n")
    sink.data_log("i-1", "MaxConcurrentTransforms=1")

    whole = scene.client.get("/jobs/us-east-1/job/logs")
    one = scene.client.get("/jobs/us-east-1/job/logs/i-1/clean")

    assert one.text == "<b>cleaning</b>\n"
    for answer in (whole, one):
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert whole.text.startswith("===== i-1/data-log =====\n")
    assert "===== i-1/clean =====\n<b>cleaning</b>\n" in whole.text


@pytest.mark.parametrize(
    "url",
    [
        "/jobs/us-east-1/gone",
        "/jobs/eu-west-1/job",
        "/jobs/us-east-1/gone/logs",
        "/jobs/us-east-1/gone/logs/i-1",
        "/jobs/us-east-1/job/logs/i-2",
        "/jobs/us-east-1/job/logs/",
        "/jobs/us-east-1/job/logs/..%2Fobjects.jsonl",
        "/jobs/us-east-1/job/logs/%2Fetc%2Fpasswd",
    ],
)
def test_what_is_not_there(scene: Scene, url: str) -> None:
    scene.start(scene.add("job"), ["a"]).container_log("i-1").write_text("x")

    page = scene.get(url, status=404)

    assert "This engine knows no transform job" in page.text
    assert "s3://" not in page.text
