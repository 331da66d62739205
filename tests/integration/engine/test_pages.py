"""The pages of an engine that runs jobs, at the addresses that links lead to."""

from __future__ import annotations

import urllib.request

from tests.engines import Desk
from tests.integration.engine.test_life import eventually


def fetched(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        text: str = answer.read().decode()
        return " ".join(text.split())


def test_a_job_is_followed_on_its_page(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"whole\n")
    desk.put_at("in/b.csv", b"hold\n")
    desk.put_at("in/folder/", b"")
    desk.models.release.clear()
    name = desk.start(desk.model(desk.models.url("pausing")), InstanceCount=2)
    page = f"{desk.engine.url}/jobs/us-east-1/{name}"

    assert eventually(lambda: "1 of 2" in fetched(page))
    running = fetched(page)
    desk.models.release.set()
    desk.ended(name)
    ended = fetched(page)

    assert f's3://{desk.bucket}/out/a.csv.out</td><td><span class="state done">Done' in running
    assert f's3://{desk.bucket}/out/b.csv.out</td><td><span class="state waiting">Waiting' in running
    assert 'http-equiv="refresh"' in running
    assert 'http-equiv="refresh"' not in ended
    assert "2 of 2" in ended
    assert fetched(f"{page}/logs").count("[sagemaker logs]: MaxConcurrentTransforms=1") == 2


def test_the_root_is_the_list_of_jobs(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"bad\n")
    failed = desk.run(desk.model(desk.models.url("refusing")))["TransformJobName"]

    with urllib.request.urlopen(desk.engine.url) as answer:
        assert answer.url == f"{desk.engine.url}/jobs"
        assert f'<a href="/jobs/us-east-1/{failed}">' in answer.read().decode()
    page = fetched(f"{desk.engine.url}/jobs/us-east-1/{failed}")
    assert f"<b>s3://{desk.bucket}/in/a.csv</b><pre>ClientError: 400 Message: cannot read this</pre>" in page
    assert "0 of 1" in page
