"""What is told of a job while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_batchtx.control.following import FEWEST, INTERVAL, Follower
from airflow_batchtx.control.submission import start
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment
from tests.fake_logs import INSTANCE, FakeLogs


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


def test_what_the_containers_print_is_told_line_by_line_and_that_it_may_not_be_read_only_once() -> None:
    made, logs = World(life=("InProgress",)), FakeLogs()
    started = start(made.services, assignment())
    stream = f"{started.job_name}/{INSTANCE}"
    logs.add(stream, "loading", "loaded")
    services = replace(made.services, logs=JobLogs(logs))
    follower = Follower.of(services, started.job_name, started.folder, logs=True)

    assert list(follower.lines()) == [f"[{INSTANCE}] loading", f"[{INSTANCE}] loaded"]
    logs.add(stream, "scoring")
    assert list(follower.lines()) == [f"[{INSTANCE}] scoring"]

    logs.denied = {"DescribeLogStreams"}
    (denied,) = (line for _ in range(5) for line in follower.lines())
    assert "not authorized to perform: logs:DescribeLogStreams" in denied
    assert [line for line in follower.lines(seen(made)) if "is provisioning" in line]


def test_only_what_this_attempt_was_sent_is_counted() -> None:
    made = World(
        {f"s3://b/in/{number:03}.csv": b"1\n" for number in range(100)}, life=("InProgress", "Failed"),
        reason="AlgorithmError: See job logs",
    )  # fmt: skip
    made.batch.poisoned = {f"s3://b/in/{number:03}.csv" for number in range(40)}
    name = start(made.services, assignment()).job_name
    while made.services.jobs.describe(name)["TransformJobStatus"] == "InProgress":
        pass
    again = start(made.services, assignment())
    follower = Follower.of(made.services, again.job_name, again.folder, logs=False)
    made.put("s3://b/out/000.csv.out")
    made.now += INTERVAL

    (told,) = follower.lines()
    assert "1 of 40 objects" in told
