"""Each command as a process, against a real engine."""

from __future__ import annotations

import json
import signal
from typing import Any
from uuid import uuid4

import pytest

from tests.engines import Desk
from tests.integration.cli.conftest import ROOT, Shell


@pytest.fixture
def name() -> str:
    return f"cli-{uuid4().hex[:8]}"


def request_for(desk: Desk, name: str, behaviour: str, **members: Any) -> dict[str, Any]:
    return desk.request(desk.model(desk.models.url(behaviour)), TransformJobName=name, **members)


def jobs(desk: Desk, name: str) -> list[str]:
    found = desk.client.list_transform_jobs(NameContains=name, SortBy="CreationTime", SortOrder="Ascending")
    return [job["TransformJobName"] for job in found["TransformJobSummaries"]]


def test_run_makes_one_job_takes_it_again_and_sends_what_is_new(shell: Shell, ready: Desk, name: str) -> None:
    file = shell.write(request_for(ready, name, "numbered"))

    first, again = shell.told("run", file), shell.told("run", file)
    ready.put_at("in/d.csv", b"1\n")
    third = shell.told("run", file)

    assert (first["status"], first["objects_done"], first["reused"]) == ("Completed", 3, False)
    assert (again["job_name"], again["reused"]) == (first["job_name"], True)
    assert (third["objects_done"], third["attempts"]) == (4, 2)
    assert jobs(ready, name) == [first["job_name"], third["job_name"]]
    assert ready.get("out/d.csv.out") == b"1\n"


def test_a_failed_job_is_explained_and_told_by_its_exit_code(shell: Shell, ready: Desk, name: str) -> None:
    ready.put_at("in/b.csv", b"bad\n")

    ran = shell.run("run", shell.write(request_for(ready, name, "refusing")))
    [job] = jobs(ready, name)
    status = shell.run("status", job, "--exit-code")

    assert (ran.returncode, status.returncode) == (3, 3)
    assert f"s3://{ready.bucket}/in/b.csv: HTTP 400: cannot read this" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "HTTP 400" in status.stdout


def test_ctrl_c_leaves_the_job_and_the_same_command_adopts_it(shell: Shell, ready: Desk, name: str) -> None:
    ready.models.release.clear()
    file = shell.write(request_for(ready, name, "held"))
    with shell.start("run", file) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "is transforming" in line:
                break
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    [job] = jobs(ready, name)
    running = shell.told("status", job)
    ready.models.release.set()

    result = shell.told("run", file)

    assert process.returncode == 130
    assert f"batchtx stop {job}" in told
    assert (running["status"], running["objects_done"], running["objects"]) == ("InProgress", 0, 3)
    assert (result["job_name"], result["status"], result["objects_done"]) == (job, "Completed", 3)
    assert jobs(ready, name) == [job]


def test_stop_and_what_it_means(shell: Shell, ready: Desk, name: str) -> None:
    ready.models.release.clear()
    file = shell.write(request_for(ready, name, "held"))
    job = shell.told("run", file, "--no-wait")["job_name"]

    stopped = shell.told("stop", job, "--wait")
    again = shell.told("stop", job)
    ready.models.release.set()

    assert (stopped["status"], again["status"]) == ("Stopped", "Stopped")
    assert shell.run("status", job, "--exit-code").returncode == 4


def test_list(shell: Shell, ready: Desk, name: str) -> None:
    file = shell.write(request_for(ready, name, "echo"))
    expected = [shell.told("run", file, "--key", key)["job_name"] for key in ("one", "two")]

    found = shell.told("list", "--name-contains", name, "--since", "1h", "--status", "Completed")
    shown = shell.run("list", "--name-contains", name, "-n", "1").stdout

    assert [job["job_name"] for job in found] == expected[::-1]
    assert len(shown.splitlines()) == 2
    assert expected[1] in shown


def test_logs_to_the_end_of_a_job(shell: Shell, ready: Desk, name: str) -> None:
    ready.put_at("in/b.csv", b"bad\n")
    job = shell.told("run", shell.write(request_for(ready, name, "refusing")), "--no-wait")["job_name"]

    followed = shell.run("logs", job, "--follow")
    data = shell.run("logs", job, "--data", "--json")

    assert followed.returncode == 0
    assert f"{ready.bucket}/in/b.csv: ClientError: 400" in followed.stdout
    lines = [json.loads(line) for line in data.stdout.splitlines()]
    assert lines
    assert all(line["stream"].endswith("/data-log") for line in lines)


def test_check_of_a_request(shell: Shell, ready: Desk, name: str) -> None:
    good = request_for(ready, name, "echo")
    before = ready.keys("")

    fine = shell.run("check", shell.write(good))
    wrong = shell.run("check", shell.write({**good, "ModelName": "no-such-model"}, "wrong.json"), "--json")

    assert fine.returncode == 0, fine
    assert "0 problems, 0 doubts. AWS was asked too." in fine.stdout
    assert wrong.returncode == 1
    [job] = json.loads(wrong.stdout)["jobs"]
    assert [problem["value"] for problem in job["problems"]] == ["no-such-model"]
    assert ready.keys("") == before
    assert jobs(ready, name) == []


@pytest.mark.airflow
def test_check_of_the_example_dag(shell: Shell, ready: Desk) -> None:
    file = str(ROOT / "dags" / "late_payments.py")

    before = shell.run("check", file, "--json")
    model: Any = {"Image": ready.models.url("echo")}
    ready.client.create_model(
        ModelName="late-payments", ExecutionRoleArn="arn:aws:iam::123456789012:role/batchtx", PrimaryContainer=model
    )
    after = shell.run("check", file)

    [job] = json.loads(before.stdout)["jobs"]
    assert (before.returncode, job["name"]) == (1, "late_payments.transform")
    assert [problem["field"] for problem in job["problems"]] == ["model_name (ModelName)"]
    assert after.returncode == 0, after
    assert "1 job, 0 problems, 0 doubts" in after.stdout


def test_no_endpoint_answers(shell: Shell) -> None:
    ran = shell.run("list", "--endpoint-url", "http://127.0.0.1:1")

    assert ran.returncode == 75
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
