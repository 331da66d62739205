"""What is told of a job while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_batchtx.control.following import FEWEST, INTERVAL, Follower
from airflow_batchtx.control.submission import start
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment


def world(objects: int) -> tuple[World, Follower]:
    made = World({f"s3://b/in/{number:03}.csv": b"1\n" for number in range(objects)}, life=("InProgress",))
    made.put("s3://b/out/old.csv.out", b"of last week")
    started = start(made.services, assignment())
    return made, Follower.of(made.services, started.job_name, started.folder, logs=False)


def seen(world: World) -> Mapping[str, Any]:
    [job] = world.batch.jobs.values()
    return {**job, "TransformJobStatus": "InProgress"}


def test_provisioning_and_transforming_are_told_apart_once_each() -> None:
    made, follower = world(1)
    waiting = seen(made)
    running = {**waiting, "TransformStartTime": waiting["CreationTime"].replace(microsecond=0)}

    told = [line for look in (waiting, waiting, running, running) for line in follower.lines(look)]

    assert [line.split(" is ")[1].split(",")[0] for line in told] == ["provisioning", "transforming"]


def test_progress_counts_what_came_since_the_intent_at_most_once_an_interval() -> None:
    made, follower = world(100)
    for number in range(25):
        made.put(f"s3://b/out/{number:03}.csv.out")

    told = []
    for _ in range(10):
        made.now += INTERVAL / 5
        told += list(follower.lines())

    assert [line.partition(": ")[2].partition(",")[0] for line in told] == ["25 of 100 objects"] * 2


def test_a_small_job_is_never_listed() -> None:
    made, follower = world(FEWEST - 1)
    made.put("s3://b/out/000.csv.out")
    made.now += 10 * INTERVAL

    asked: list[S3Uri] = []
    objects = made.store.objects
    made.store.objects = lambda prefix: asked.append(prefix) or objects(prefix)  # type: ignore[func-returns-value,method-assign]

    assert list(follower.lines()) == []
    assert asked == []


def test_what_cannot_be_seen_is_passed_over() -> None:
    made, follower = world(100)
    made.store.buckets.clear()
    made.now += 10 * INTERVAL

    assert list(follower.lines()) == []
