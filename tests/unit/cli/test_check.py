"""`batchtx check`: everything that will go wrong, at once and without any effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.errors import AccessDenied, InvalidInput, InvalidJob
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World
from tests.fake_logs import FakeLogs
from tests.fake_sagemaker import REQUEST, refusal
from tests.fakes import InMemoryStore
from tests.unit.cli.shell import batchtx, written


def told(world: World, file: str, *arguments: str, **others: Any) -> tuple[int, dict[str, Any]]:
    ran = batchtx(world, "check", file, "--json", *arguments, **others)
    assert ran.exit_code in (0, 1), (ran.output, ran.exception)
    report: dict[str, Any] = json.loads(ran.stdout)
    return ran.exit_code, report


def fields(report: dict[str, Any], kind: str = "problems") -> list[str]:
    return [problem["field"].partition(" ")[0] for job in report["jobs"] for problem in job[kind]]


def without_effect(world: World) -> bool:
    return world.created == [] and {uri.folder.key for uri in world.store.bodies} <= {"in/"}


def test_a_job_that_will_do(tmp_path: Path) -> None:
    world = World()

    code, report = told(world, written(tmp_path))

    assert (code, report["online"], fields(report), fields(report, "doubts")) == (0, True, [], [])
    assert without_effect(world)


def test_everything_at_once_without_asking_anybody(tmp_path: Path) -> None:
    world = World()
    request = {
        **REQUEST,
        "BatchStrategy": "Both",
        "TransformOutput": {"S3OutputPath": "s3://b/in/out/"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 0},
        "Strange": 1,
    }

    code, report = told(world, written(tmp_path, request), "--offline", "--control-prefix", "nowhere")

    assert code == 1
    assert not report["online"]
    assert set(fields(report)) == {"control_prefix", "batch_strategy", "instance_count", "input"}
    assert fields(report, "doubts") == ["Strange"]
    assert world.batch.calls == []


def test_everything_that_aws_knows_at_once(tmp_path: Path) -> None:
    world = World(objects={"s3://b/in/large.bin": b"x" * (7 << 20)})
    world.batch.trouble["DescribeModel"] = [refusal("DescribeModel", "ValidationException")]
    request = {**REQUEST, "MaxPayloadInMB": 6}
    strange = tmp_path / "prices.json"
    strange.write_text('{"extends": false, "lists": []}')

    code, report = told(world, written(tmp_path, request), "--max-cost", "5", "--prices", str(strange))

    assert code == 1
    assert set(fields(report)) == {"model_name", "max_payload_in_mb", "max_cost"}
    assert fields(report, "doubts") == ["instance_count"]
    assert without_effect(world)


def test_nothing_to_transform_and_no_such_bucket(tmp_path: Path) -> None:
    empty, nowhere = World(objects={}), World()
    request = {**REQUEST, "TransformOutput": {"S3OutputPath": "s3://elsewhere/out/"}}

    assert fields(told(empty, written(tmp_path))[1]) == ["input"]
    assert set(fields(told(nowhere, written(tmp_path, request))[1])) == {"output", "control_prefix"}


class ReadOnly(InMemoryStore):
    def put(self, uri: S3Uri, body: bytes, **_: Any) -> str:
        raise AccessDenied(str(uri), "AccessDenied", "not allowed")


class Unconditional(InMemoryStore):
    """A store that knows no conditions."""

    def put(self, uri: S3Uri, body: bytes, **_: Any) -> str:
        return super().put(uri, body)


def test_what_the_credentials_may_not_do(tmp_path: Path) -> None:
    world = World()
    for operation in ("DescribeTransformJob", "StopTransformJob"):
        world.batch.trouble[operation] = [refusal(operation, "AccessDeniedException") for _ in range(3)]
    logs = FakeLogs()
    logs.denied = {"DescribeLogStreams"}
    store = ReadOnly(world.objects)

    code, report = told(world, written(tmp_path), store=store, logs=JobLogs(logs))

    assert code == 1
    assert set(fields(report)) == {"DescribeTransformJob", "StopTransformJob", "control_prefix"}
    assert fields(report, "doubts") == ["logs"]


def test_a_store_that_knows_no_conditions_keeps_nothing(tmp_path: Path) -> None:
    world = World()
    store = Unconditional(world.objects)

    assert told(world, written(tmp_path), store=store)[0] == 0
    assert len(store.bodies) == len(world.objects)


def test_doubts_are_no_failure(tmp_path: Path) -> None:
    request = {**REQUEST, "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 9}}

    code, report = told(World(), written(tmp_path, request))

    assert (code, fields(report), fields(report, "doubts")) == (0, [], ["instance_count"])


def test_templates_stay_open(tmp_path: Path) -> None:
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/{{ ds }}/"}}}
    request = {**REQUEST, "ModelName": "{{ params.model }}", "TransformInput": source}
    world = World()

    assert told(world, written(tmp_path, request))[0] == 0
    assert world.batch.names("DescribeModel") == []


@pytest.mark.parametrize("signed", [True, False])
def test_aws_is_asked_if_it_can_be(tmp_path: Path, signed: bool) -> None:
    world = World()
    if signed:
        world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")]

    code, report = told(world, written(tmp_path), signed=signed)

    assert (code, report["online"]) == (0, False)
    assert report["why_not"]


def test_who_insists_is_told_why_aws_cannot_be_asked(tmp_path: Path) -> None:
    world = World()
    world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")]

    code, report = told(world, written(tmp_path), "--online")

    assert (code, report["online"], fields(report)) == (1, True, ["DescribeTransformJob"])


def test_a_bound_of_money_needs_the_price_of_every_type_that_may_be_tried(tmp_path: Path) -> None:
    fallback = (
        "--instance-types",
        "ml.m5.xlarge",
        "--instance-types",
        "ml.zz9.large",
        "--instance-types",
        "ml.zz8.large",
    )

    code, report = told(World(), written(tmp_path), "--max-cost", "5", *fallback)

    rules = [problem["rule"] for job in report["jobs"] for problem in job["problems"]]
    assert (code, fields(report)) == (1, ["max_cost", "max_cost"])
    assert ["ml.zz9.large" in rules[0], "ml.zz8.large" in rules[1]] == [True, True]


HTTPS = "https://s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize("online", [True, False])
def test_path_style_urls_are_looked_at_as_what_they_mean(tmp_path: Path, online: bool) -> None:
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{HTTPS}/b/in/"}}}
    request = {**REQUEST, "TransformInput": source, "TransformOutput": {"S3OutputPath": f"{HTTPS}/b/out/"}}
    elsewhere = {**REQUEST, "TransformOutput": {"S3OutputPath": f"{HTTPS}/elsewhere/out/"}}
    inside = {**request, "TransformOutput": {"S3OutputPath": f"{HTTPS}/b/in/out/"}}
    how = "--online" if online else "--offline"

    assert fields(told(World(), written(tmp_path, request), how)[1]) == []
    assert fields(told(World(), written(tmp_path, inside), how)[1]) == ["input"]
    lost = fields(told(World(), written(tmp_path, elsewhere), how)[1])
    assert set(lost) == ({"output", "control_prefix"} if online else set())


def test_an_output_at_the_root_of_a_bucket_needs_a_control_prefix_elsewhere(tmp_path: Path) -> None:
    request = {**REQUEST, "TransformOutput": {"S3OutputPath": "s3://scores"}}

    _, refused = told(World(), written(tmp_path, request), "--offline")
    _, taken = told(World(), written(tmp_path, request), "--offline", "--control-prefix", "s3://b/control/")

    [problem] = refused["jobs"][0]["problems"]
    assert problem["field"] == "control_prefix"
    assert "control_prefix" in problem["remedy"]
    assert "in another bucket" in problem["remedy"]
    assert fields(taken) == []


def test_people_see_a_table(tmp_path: Path) -> None:
    request = {**REQUEST, "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 0}}

    ran = batchtx(World(), "check", written(tmp_path, request), "--offline")

    assert ran.exit_code == 1
    assert "instance_count" in ran.stdout
    assert "1 job, 1 problem, 0 doubts. AWS was not asked: --offline." in ran.stdout


def test_what_is_no_request(tmp_path: Path) -> None:
    assert isinstance(batchtx(World(), "check", str(tmp_path / "none.json")).exception, InvalidJob)
    assert isinstance(batchtx(World(), "check", "-", sent="[]").exception, InvalidInput)
