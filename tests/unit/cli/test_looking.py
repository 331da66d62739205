"""`batchtx list`, `status`, `logs` and `stop`: what there is, and how it goes."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.cli.exits import exit_code
from airflow_batchtx.errors import BatchTransformError, JobNotFound, JobTimedOut, LogsUnavailable
from airflow_batchtx.sagemaker.joblogs import JobLogs
from tests.fake_batch import World
from tests.fake_logs import INSTANCE, FakeLogs
from tests.fake_sagemaker import REQUEST, refusal
from tests.unit.cli.shell import batchtx, written

FOREVER = ("InProgress",)


def machine(world: World, *arguments: str, **others: Any) -> Any:
    ran = batchtx(world, *arguments, "--json", **others)
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return json.loads(ran.stdout)


@pytest.fixture
def world() -> World:
    """Jobs that Completed, Failed and run, an hour apart."""
    world = World(now=datetime.now(timezone.utc).timestamp() - 3 * 3600)
    for name, life in (("old", ("Completed",)), ("bad", ("Failed",)), ("new", FOREVER)):
        world.batch.add(name, life)
        world.now += 3600
    return world


# -------------------------------------------------------------------------------------------------------- list


def test_the_newest_first(world: World) -> None:
    assert [job["job_name"] for job in machine(world, "list")] == ["new", "bad", "old"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--status", "Failed"], ["bad"]),
        (["--name-contains", "ol"], ["old"]),
        (["--since", "90m"], ["new"]),
        (["--limit", "2"], ["new", "bad"]),
        (["--since", "2030-01-01"], []),
    ],
)
def test_filters(world: World, options: list[str], names: list[str]) -> None:
    assert [job["job_name"] for job in machine(world, "list", *options)] == names


def test_no_more_pages_than_are_needed() -> None:
    world = World()
    for number in range(450):
        world.batch.add(f"job-{number}", FOREVER)

    assert len(machine(world, "list", "--limit", "150")) == 150
    assert len(world.batch.names("ListTransformJobs")) == 2


def test_a_table_for_people(world: World) -> None:
    shown = batchtx(world, "list").stdout.splitlines()

    assert shown[0].split() == ["name", "status", "created", "duration", "reason"]
    assert [line.split()[:2] for line in shown[1:]] == [
        ["new", "InProgress"], ["bad", "Failed"], ["old", "Completed"],
    ]  # fmt: skip


def test_a_time_that_is_none(world: World) -> None:
    ran = batchtx(world, "list", "--since", "yesterday")

    assert ran.exit_code == 2
    assert "--since" in ran.stderr


# ------------------------------------------------------------------------------------------------------ status


def started(world: World, folder: Path, *options: str) -> str:
    name: str = machine(world, "run", written(folder), "--no-wait", *options)["job_name"]
    return name


def test_a_job_that_runs_and_what_it_has_done(tmp_path: Path) -> None:
    world = World(life=FOREVER)
    name = started(world, tmp_path)
    world.put("s3://b/out/a.csv.out")

    found = machine(world, "status", name)

    assert (found["status"], found["objects_done"], found["objects"]) == ("InProgress", 1, 3)
    assert (found["record"], found["error"]) == (None, None)
    world.now += 200
    shown = " ".join(batchtx(world, "status", name).stdout.split())
    assert "Provisioning 3 min 20 s so far Transform 2 x ml.m5.large" in shown
    assert "Objects 1 of 3" in shown


def test_a_job_that_ended_and_its_record(tmp_path: Path) -> None:
    world = World()
    name = machine(world, "run", written(tmp_path))["job_name"]
    world.store.delete([uri for uri in world.store.bodies if uri.key.startswith("out/")])

    found = machine(world, "status", name)

    assert (found["objects_done"], found["record"]) == (3, f"s3://b/_batchtx/{name}/record.json")
    assert (found["provisioning_seconds"], found["transform_seconds"]) == (180.0, 120.0)
    assert found["cost"] > 0


def test_a_folder_elsewhere(tmp_path: Path) -> None:
    world = World(life=FOREVER)
    name = started(world, tmp_path, "--control-prefix", "s3://b/kept/")

    without, there = machine(world, "status", name), machine(world, "status", name, "--control-prefix", "s3://b/kept/")

    assert (without["objects"], there["objects"]) == (None, 3)
    assert "holds no intent" in without["note"]
    assert there["note"] is None


def test_somebody_elses_job_whose_bucket_may_not_be_seen() -> None:
    world = World()
    world.batch.add("theirs", FOREVER, {**REQUEST, "TransformOutput": {"S3OutputPath": "s3://theirs/out/"}})

    found = machine(world, "status", "theirs")

    assert found["status"] == "InProgress"
    assert "NoSuchBucket" in found["note"]


def test_why_a_job_failed(tmp_path: Path) -> None:
    world = World(life=("Failed",), reason="AlgorithmError: See job logs for more information")
    name, logs = started(world, tmp_path), FakeLogs()
    logs.add(
        f"{name}/{INSTANCE}/data-log",
        *(
            f"2026-11-23T12:00:00.000:[sagemaker logs]: b/in/a.csv: {said}"
            for said in ("ClientError: 500", "Message:", "boom")
        ),
    )

    found = machine(world, "status", name, logs=JobLogs(logs))
    shown = batchtx(world, "status", name, logs=JobLogs(logs)).stdout

    assert "s3://b/in/a.csv: HTTP 500: boom" in found["error"]
    assert "HTTP 500" in shown
    assert not any(world.slept)


@pytest.mark.parametrize(("name", "code"), [("old", 0), ("bad", 3), ("new", 5)])
def test_exit_codes_for_who_asks_for_them(world: World, name: str, code: int) -> None:
    assert batchtx(world, "status", name).exit_code == 0
    assert batchtx(world, "status", name, "--exit-code").exit_code == code


@pytest.mark.parametrize("command", ["status", "logs", "stop"])
def test_no_such_job(world: World, command: str) -> None:
    error = batchtx(world, command, "none").exception

    assert isinstance(error, JobNotFound)
    assert exit_code(error) == 1


# -------------------------------------------------------------------------------------------------------- logs


@pytest.fixture
def logs() -> FakeLogs:
    logs = FakeLogs()
    logs.add(f"new/{INSTANCE}", "loaded", "sc\x1b[31mored", at=[1, 3])
    logs.add(f"new/{INSTANCE}/data-log", "settings", at=[2])
    logs.add(f"newer/{INSTANCE}", "of another job")
    return logs


def test_lines_of_all_streams_in_the_order_of_their_times(world: World, logs: FakeLogs) -> None:
    shown = batchtx(world, "logs", "new", logs=JobLogs(logs)).stdout.splitlines()

    # What a model prints does not get at the terminal.
    assert [line.split("] ", 1)[1] for line in shown] == ["loaded", "settings", "sc [31mored"]


def test_the_data_log_alone_for_machines(world: World, logs: FakeLogs) -> None:
    [line] = batchtx(world, "logs", "new", "--data", "--json", logs=JobLogs(logs)).stdout.splitlines()

    assert json.loads(line)["text"] == "settings"


def test_following_ends_after_the_job_and_with_its_last_lines(world: World, logs: FakeLogs) -> None:
    world.batch.lives["new"] = ["InProgress", "InProgress", "Completed"]

    def sleep(seconds: float) -> None:
        world.sleep(seconds)
        logs.add(f"new/{INSTANCE}", f"line {len(world.slept)}", at=[10 + len(world.slept)])

    shown = batchtx(world, "logs", "new", "--follow", logs=JobLogs(logs), sleep=sleep).stdout.splitlines()

    told = [line.split("] ", 1)[1] for line in shown]
    assert told[3:] == [f"line {number}" for number in range(1, len(world.slept) + 1)]
    assert len(world.slept) > 2


def test_no_lines_and_no_permission(world: World, logs: FakeLogs) -> None:
    none = batchtx(world, "logs", "old", logs=JobLogs(logs))
    logs.denied = {"DescribeLogStreams"}
    denied = batchtx(world, "logs", "new", logs=JobLogs(logs))

    assert (none.exit_code, none.stdout) == (0, "")
    assert "no such log lines" in none.stderr
    assert isinstance(denied.exception, LogsUnavailable)


# -------------------------------------------------------------------------------------------------------- stop


def test_a_job_is_stopped_and_its_end_awaited(world: World) -> None:
    asked = machine(world, "stop", "new")
    ended = machine(world, "stop", "new", "--wait")

    assert (asked["status"], ended["status"]) == ("Stopping", "Stopped")
    assert world.batch.names("StopTransformJob").count("new") == 2


def test_a_job_that_has_ended_is_left_as_it_is(world: World) -> None:
    assert machine(world, "stop", "old")["status"] == "Completed"


def test_a_stop_that_does_not_come_to_an_end(world: World) -> None:
    world.batch.lives["new"] = ["Stopping"]

    error = batchtx(world, "stop", "new", "--wait").exception

    assert isinstance(error, JobTimedOut)


def test_aws_that_cannot_be_asked(world: World) -> None:
    world.batch.trouble["ListTransformJobs"] = [refusal("ListTransformJobs", "ThrottlingException")]

    error = batchtx(world, "list").exception

    assert isinstance(error, BatchTransformError)
    assert exit_code(error) == 75
