"""`batchtx run`: one job for one piece of work, whoever starts the command, and however often."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.cli.exits import exit_code
from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.errors import (
    BatchTransformError,
    EmptyInput,
    InvalidJob,
    JobAlgorithmError,
    JobCapacityError,
    JobConflict,
    JobStopped,
    JobTimedOut,
    QuotaExceeded,
)
from airflow_batchtx.spec.naming import Identity, job_name
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST, refusal
from tests.unit.cli.shell import batchtx, written

FOREVER = ("InProgress",)
COMPLETED = ("Completed",)


def name_of(name: str = "churn", key: str = "", attempt: int = 1) -> str:
    identity = Identity(namespace="cli", dag_id=name, task_id="", run_id=key, map_index=-1)
    return job_name(name, identity, attempt)


def named(world: World, *arguments: str, **others: Any) -> dict[str, Any]:
    """Run a command that ends well, and read the result that it prints."""
    ran = batchtx(world, "run", *arguments, "--json", **others)
    assert ran.exit_code == 0, (ran.output, ran.exception)
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


def raised(world: World, *arguments: str, **others: Any) -> BatchTransformError:
    ran = batchtx(world, "run", *arguments, **others)
    assert isinstance(ran.exception, BatchTransformError), ran.output
    return ran.exception


def test_a_job_is_made_waited_for_and_proved(tmp_path: Path) -> None:
    world = World(life=("InProgress", "InProgress", "Completed"))

    result = named(world, written(tmp_path))

    assert result["job_name"] == name_of()
    assert (result["status"], result["objects_done"], result["objects"]) == ("Completed", 3, 3)
    assert result["cost"] == pytest.approx(2 * 120 / 3600 * 0.115, abs=1e-4)
    assert world.created == [name_of()]


def test_people_are_told_what_happens_and_what_came_of_it(tmp_path: Path) -> None:
    ran = batchtx(World(), "run", written(tmp_path))

    assert f"Created transform job {name_of()} for 3 objects" in ran.stderr
    assert "3 of 3" in ran.stdout
    assert "Completed" in ran.stdout


def test_quiet_says_nothing_but_the_result(tmp_path: Path) -> None:
    ran = batchtx(World(), "run", written(tmp_path), "--quiet")

    assert ran.stderr == ""
    assert name_of() in ran.stdout


def test_the_same_command_again_takes_what_is_there(tmp_path: Path) -> None:
    world, file = World(), written(tmp_path)

    first, again = named(world, file), named(world, file)

    assert (first["reused"], again["reused"]) == (False, True)
    assert world.created == [name_of()]


def test_a_new_object_is_sent_alone(tmp_path: Path) -> None:
    world, file = World(), written(tmp_path)
    named(world, file)
    world.put("s3://b/in/d.csv")

    result = named(world, file)

    assert result["job_name"] == name_of(attempt=2)
    assert result["objects_done"] == 4
    assert world.batch.sent == dict.fromkeys((f"s3://b/in/{name}.csv" for name in "abcd"), 1)


def test_keys_names_and_files_tell_pieces_of_work_apart(tmp_path: Path) -> None:
    world = World()
    file, other = written(tmp_path), written(tmp_path, {**REQUEST, "TransformJobName": "other"})

    named(world, file, "--key", "monday")
    named(world, file, "--key", "tuesday")
    named(world, other)
    named(world, written(tmp_path, name="again.json"))

    assert world.created == [
        name_of("other", "monday"), name_of("other", "tuesday"), name_of("other"), name_of("again"),
    ]  # fmt: skip


def tags(world: World) -> dict[str, str]:
    [job] = world.batch.jobs.values()
    return {tag["Key"]: tag["Value"] for tag in job.get("Tags", ())}


def test_a_job_is_tagged_by_its_name_and_key(tmp_path: Path) -> None:
    request = {**REQUEST, "Tags": [{"Key": "team", "Value": "risk"}]}
    tagged, bare = World(), World()

    named(tagged, written(tmp_path, request), "--key", "2026-11-23")
    named(bare, written(tmp_path, request), "--key", "2026-11-23", "--no-tag-jobs")

    assert tags(tagged) == {"team": "risk", "batchtx:name": "churn", "batchtx:key": "2026-11-23"}
    assert tags(bare) == {"team": "risk"}


def test_path_style_urls_are_sent_as_what_they_mean(tmp_path: Path) -> None:
    world, https = World(), "https://s3.us-east-1.amazonaws.com/b"
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{https}/in/"}}}
    request = {**REQUEST, "TransformInput": source, "TransformOutput": {"S3OutputPath": f"{https}/out/"}}

    result = named(world, written(tmp_path, request))

    assert (result["output"], result["objects_done"]) == ("s3://b/out/", 3)


def test_a_name_that_aws_would_not_take_begins_one_that_it_takes(tmp_path: Path) -> None:
    world = World()

    named(world, written(tmp_path, {**REQUEST, "TransformJobName": "daily_churn"}))

    assert world.created == [name_of("daily_churn")]
    assert world.created[0].startswith("daily-churn-")


def test_a_request_from_standard_input_brings_its_name() -> None:
    world = World()

    result = named(world, "-", sent=json.dumps({**REQUEST, "TransformJobName": "nightly"}))
    nameless = raised(world, "-", sent=json.dumps(REQUEST))

    assert result["job_name"] == name_of("nightly")
    assert isinstance(nameless, InvalidJob)
    assert [problem.field for problem in nameless.problems] == ["TransformJobName"]


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '"text"'])
def test_what_is_no_request(text: str) -> None:
    assert isinstance(raised(World(), "-", sent=text), InvalidJob)


def test_templates_are_for_airflow(tmp_path: Path) -> None:
    error = raised(World(), written(tmp_path, {**REQUEST, "ModelName": "{{ params.model }}"}))

    assert isinstance(error, InvalidJob)
    assert "only Airflow renders" in str(error)


# ------------------------------------------------------------------------------------------------------ again


def test_it_adopts_a_job_that_runs(tmp_path: Path) -> None:
    world, file = World(life=FOREVER), written(tmp_path)
    started = named(world, file, "--no-wait")
    world.batch.lives[name_of()] = ["InProgress", "InProgress", "InProgress", "Completed"]

    result = named(world, file)

    assert started["status"] == "InProgress"
    assert (result["status"], result["reused"]) == ("Completed", False)
    assert world.created == [name_of()]


def test_the_outcome_of_a_job_that_nobody_waited_for_is_taken_before_another_round_begins(tmp_path: Path) -> None:
    world, file = World(), written(tmp_path)
    named(world, file, "--no-wait")
    world.services.jobs.describe(name_of())  # it Completes
    world.put("s3://b/in/d.csv")

    first, second = (named(world, file, "--on-existing", "rerun") for _ in range(2))

    assert (first["job_name"], first["objects_done"]) == (name_of(), 3)
    assert (second["job_name"], second["objects_done"]) == (name_of(attempt=2), 4)


@pytest.mark.parametrize(("choice", "jobs"), [("reuse", [1, 1, 1]), ("rerun", [1, 2, 3])])
def test_once_a_command(tmp_path: Path, choice: str, jobs: Sequence[int]) -> None:
    world, file = World(), written(tmp_path)

    results = [named(world, file, "--on-existing", choice) for _ in jobs]

    assert [result["job_name"] for result in results] == [name_of(attempt=number) for number in jobs]


def test_one_may_ask_for_a_refusal(tmp_path: Path) -> None:
    world, file = World(), written(tmp_path)
    named(world, file)

    assert isinstance(raised(world, file, "--on-existing", "fail"), JobConflict)


def test_after_a_failure_only_what_has_no_output_is_sent(tmp_path: Path) -> None:
    world, file = World(life=("Failed",), reason="AlgorithmError: boom"), written(tmp_path)
    world.batch.poisoned = {"s3://b/in/b.csv"}
    failed = raised(world, file)
    world.batch.poisoned, world.batch.life = set(), COMPLETED

    result = named(world, file)

    assert isinstance(failed, JobAlgorithmError)
    assert exit_code(failed) == 3
    assert (result["job_name"], result["objects_done"]) == (name_of(attempt=2), 3)
    assert world.batch.sent == {"s3://b/in/a.csv": 1, "s3://b/in/b.csv": 2, "s3://b/in/c.csv": 1}


def test_patterns_choose(tmp_path: Path) -> None:
    world = World()

    named(world, written(tmp_path), "--include", "a*", "--include", "b*", "--exclude", "b*")

    assert world.batch.sent == {"s3://b/in/a.csv": 1}


def test_control_folders_lie_where_they_are_wanted(tmp_path: Path) -> None:
    world = World()

    result = named(world, written(tmp_path), "--control-prefix", "s3://b/kept")

    assert result["control"] == f"s3://b/kept/{name_of()}/"
    assert Ledger(world.store, S3Uri("b", "kept/")).intent(name_of()) is not None
    error = raised(world, written(tmp_path), "--control-prefix", "kept")
    assert isinstance(error, InvalidJob)
    assert [problem.field for problem in error.problems] == ["control_prefix"]


# -------------------------------------------------------------------------------------------- limits and ends


def test_it_waits_for_a_quota_where_it_is(tmp_path: Path) -> None:
    world = World()
    full = [refusal("CreateTransformJob", "ResourceLimitExceeded", "no instances left") for _ in range(3)]
    world.batch.trouble["CreateTransformJob"] = [*full]

    result = named(world, written(tmp_path))

    assert result["status"] == "Completed"
    assert [pause for pause in world.slept if pause][:3] == [60.0, 60.0, 60.0]


@pytest.mark.parametrize("options", [["--quota-timeout", "90s"], ["--on-quota", "fail"]])
def test_a_quota_is_not_waited_for_without_end(tmp_path: Path, options: Sequence[str]) -> None:
    world = World()
    full = [refusal("CreateTransformJob", "ResourceLimitExceeded", "no instances left") for _ in range(9)]
    world.batch.trouble["CreateTransformJob"] = [*full]

    error = raised(world, written(tmp_path), *options)

    assert isinstance(error, QuotaExceeded)
    assert exit_code(error) == 75
    assert sum(world.slept) <= 120


def test_another_instance_type_where_there_is_no_capacity(tmp_path: Path) -> None:
    world, file = World(life=("Failed",), reason="CapacityError: none left"), written(tmp_path)
    world.batch.poisoned = {f"s3://b/in/{name}.csv" for name in "abc"}

    error = raised(world, file, "--instance-types", "ml.m5.xlarge", "--instance-types", "ml.c5.xlarge")

    assert isinstance(error, JobCapacityError)
    types = [job["TransformResources"]["InstanceType"] for job in world.batch.jobs.values()]
    assert types == ["ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge"]


def test_a_job_that_runs_too_long_is_stopped(tmp_path: Path) -> None:
    world = World(life=FOREVER)

    error = raised(world, written(tmp_path), "--max-runtime", "10m")

    assert isinstance(error, JobTimedOut)
    assert exit_code(error) == 4
    assert world.stopped == [name_of()]


def test_a_bound_of_money_needs_a_price(tmp_path: Path) -> None:
    world = World()
    strange = {**REQUEST, "TransformResources": {"InstanceType": "ml.m5.24xlarge", "InstanceCount": 1}}
    prices = tmp_path / "prices.json"
    prices.write_text('{"extends": false, "lists": []}')

    error = raised(world, written(tmp_path, strange), "--max-cost", "5", "--prices", str(prices))

    assert isinstance(error, InvalidJob)
    assert [problem.field for problem in error.problems] == ["max_cost"]
    assert world.created == []


def test_what_somebody_stops(tmp_path: Path) -> None:
    world, file = World(life=("Stopping", "Stopped")), written(tmp_path)

    error = raised(world, file)
    accepted = named(world, file, "--on-stopped", "accept")

    assert isinstance(error, JobStopped)
    assert exit_code(error) == 4
    assert accepted["status"] == "Stopped"


def test_an_empty_prefix_fails_or_is_no_work(tmp_path: Path) -> None:
    world = World(objects={})

    error = raised(world, written(tmp_path))
    skipped = batchtx(world, "run", written(tmp_path), "--on-empty", "skip", "--json")

    assert isinstance(error, EmptyInput)
    assert (skipped.exit_code, skipped.stdout) == (0, "null\n")
    assert "no object to transform" in skipped.stderr
    assert world.created == []


# ------------------------------------------------------------------------------------------------------ Ctrl-C


def interrupted(seconds: float) -> None:
    if seconds:
        raise KeyboardInterrupt


def test_ctrl_c_leaves_the_job_and_says_how_to_go_on(tmp_path: Path) -> None:
    world = World(life=FOREVER)

    ran = batchtx(world, "run", written(tmp_path), sleep=interrupted)

    assert ran.exit_code == 130
    assert f"batchtx stop {name_of()}" in ran.stderr
    assert world.stopped == []


def test_ctrl_c_may_mean_the_job(tmp_path: Path) -> None:
    world = World(life=FOREVER)

    ran = batchtx(world, "run", written(tmp_path), "--stop-on-interrupt", sleep=interrupted)

    assert ran.exit_code == 130
    assert world.stopped == [name_of()]


def test_ctrl_c_before_there_is_a_job(tmp_path: Path) -> None:
    world = World()
    world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ResourceLimitExceeded")]

    ran = batchtx(world, "run", written(tmp_path), sleep=interrupted)

    assert ran.exit_code == 130
    assert "before there was a job" in ran.stderr
    assert world.created == []
