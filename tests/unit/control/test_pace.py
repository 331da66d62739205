"""How fast a model was, by its former jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_batchtx.control.pace import LOOKS, Wanted, pace_of
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import ServiceUnavailable
from airflow_batchtx.planning.proposal import Pace
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment
from tests.fake_sagemaker import REQUEST, refusal

WANTED = Wanted(model_name="churn", instance_type="ml.m5.large")
# Three objects of 4 bytes on two instances: the busier one had 8 bytes, in two minutes.
BYTES_A_SECOND = 8 / 120


def pace(world: World, wanted: Wanted = WANTED, control_prefix: str | None = None) -> Pace | None:
    found, why_not = pace_of(world.services, wanted, control_prefix)
    assert (found is None) == bool(why_not)
    return found


def done(world: World) -> str:
    started = start(world.services, assignment())
    world.batch.lives[started.job_name] = ["Completed"]
    return started.job_name


@pytest.fixture
def world() -> World:
    return World()


def test_by_what_is_on_record(world: World) -> None:
    name = done(world)
    world.put("s3://b/in/late.csv")

    found = pace(world)

    assert found is not None
    assert found.bytes_per_second == pytest.approx(BYTES_A_SECOND)
    assert found.provisioning_seconds == 180.0
    assert name in found.source
    assert "8 bytes in 120 s, 2 x ml.m5.large" in found.source


def test_a_job_of_somebody_else_by_what_lies_there(world: World) -> None:
    world.now = world.store.BEGINNING.timestamp() + 60
    world.batch.add("theirs", ("Completed",))

    found = pace(world)

    assert found is not None
    assert found.bytes_per_second == pytest.approx(BYTES_A_SECOND)


def test_an_input_that_has_changed_since_tells_nothing(world: World) -> None:
    world.now = world.store.BEGINNING.timestamp() + 60
    world.batch.add("theirs", ("Completed",))
    world.store.now = world.store.BEGINNING.replace(year=2027)
    world.put("s3://b/in/late.csv")

    assert pace(world) is None


def test_an_input_that_is_gone_tells_nothing(world: World) -> None:
    world.batch.add("theirs", ("Completed",))
    world.store.delete([found.uri for found in world.store.objects(S3Uri("b", "in/"))])

    assert pace(world) is None


def test_an_input_of_nothing_tells_nothing(world: World) -> None:
    world.now = world.store.BEGINNING.timestamp() + 60
    world.batch.add("theirs", ("Completed",))
    for found in world.store.objects(S3Uri("b", "in/")):
        world.put(str(found.uri), b"")

    assert pace(world) is None


@pytest.mark.parametrize(
    "wanted",
    [
        replace(WANTED, model_name="other"),
        replace(WANTED, instance_type="ml.m5.xlarge"),
        replace(WANTED, compression="Gzip"),
    ],
)
def test_jobs_that_are_not_like_it_tell_nothing(world: World, wanted: Wanted) -> None:
    done(world)

    assert pace(world, wanted) is None
    assert pace(world, replace(WANTED, instance_type=None)) is not None


@pytest.mark.parametrize("status", ["Failed", "Stopped", "InProgress"])
def test_only_jobs_that_completed(world: World, status: str) -> None:
    world.batch.add("theirs", (status,))

    assert pace(world) is None


def test_the_newest_counts_and_few_are_described(world: World) -> None:
    for number in range(LOOKS + 10):
        world.now += 60
        world.batch.add(f"job-{number}", ("Completed",), {**REQUEST, "ModelName": f"model-{number}"})

    assert pace(world, replace(WANTED, model_name=f"model-{LOOKS + 9}")) is not None
    assert pace(world, replace(WANTED, model_name="model-0")) is None
    assert len(world.batch.names("ListTransformJobs")) == 2
    assert len(world.batch.names("DescribeTransformJob")) == 1 + LOOKS


def test_aws_that_cannot_be_asked(world: World) -> None:
    world.batch.trouble["ListTransformJobs"] = [refusal("ListTransformJobs", "ThrottlingException")]

    with pytest.raises(ServiceUnavailable):
        pace(world)


def test_a_job_whose_folder_may_not_be_seen(world: World) -> None:
    done(world)

    assert pace(world, control_prefix="s3://theirs/kept/") is None
