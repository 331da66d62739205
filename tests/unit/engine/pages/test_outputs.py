from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_batchtx.engine import worklist
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.pages.outputs import FRESH_SECONDS, MOST, REST_SECONDS, Outputs
from airflow_batchtx.engine.registry import Job, Model, Registry
from airflow_batchtx.errors import BucketNotFound, StorageError
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject

START = 1_700_000_000.7


@dataclass
class Shelf:
    """The listing of a store: keys and when they were written. Counts how often it is looked at."""

    written: dict[str, float] = field(default_factory=dict)
    error: Exception | None = None
    looks: int = 0

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        for key, time in sorted(self.written.items()):
            if key.startswith(prefix.key):
                yield StoredObject(S3Uri("b", key), 1, '"e"', datetime.fromtimestamp(int(time), timezone.utc))


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    """A job of objects a to e that has started, its S3 and the clock."""

    registry: Registry
    shelf: Shelf
    clock: Clock
    outputs: Outputs

    @property
    def job(self) -> Job:
        found = self.registry.job("r", "job")
        assert found is not None
        return found

    def done(self, objects: int = 5) -> int | None:
        return self.outputs.done(self.job, objects)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock, shelf = Clock(), Shelf()
    with closing(Registry(Path(":memory:"), clock)) as registry:
        request = {"TransformOutput": {"S3OutputPath": "s3://b/out"}}
        job = registry.add_job("r", "job", request, Model("r", "m", 0.0, {}), {})
        assert job is not None
        transfers = [Transfer(S3Uri("b", f"in/{name}"), S3Uri("b", f"out/{name}.out")) for name in "abcde"]
        worklist.write(JobFolder.of(tmp_path, job).objects, transfers)
        registry.mark_started(job)
        yield Scene(registry, shelf, clock, Outputs(shelf, tmp_path, clock))  # type: ignore[arg-type]  # it only lists


def test_outputs_of_this_job_count(scene: Scene) -> None:
    scene.shelf.written = {
        "out/a.out": START + 1,
        "out/b.out": START,  # S3 tells the second only
        "out/c.out": START - 1,  # of an earlier job
        "out/other.out": START + 1,  # of another job
        "out/a": START + 1,
    }

    assert scene.done() == 2
    assert scene.outputs.written(scene.job, 5) == {S3Uri("b", "out/a.out"), S3Uri("b", "out/b.out")}


def test_what_a_later_job_wrote_does_not_count(scene: Scene) -> None:
    scene.shelf.written = {"out/a.out": START + 1, "out/b.out": START + 90}
    scene.clock.now = START + 60
    scene.registry.move(scene.job, JobStatus.STOPPING)
    scene.registry.move(scene.job, JobStatus.STOPPED)

    assert scene.done() == 1


def test_a_completed_job_is_done_without_a_look(scene: Scene) -> None:
    scene.registry.move(scene.job, JobStatus.COMPLETED)

    assert scene.done() == 5
    assert scene.shelf.looks == 0


def test_a_look_is_good_for_a_while(scene: Scene) -> None:
    found = []
    for step in (0, FRESH_SECONDS / 2, FRESH_SECONDS):
        scene.clock.now = START + 10 + step
        scene.shelf.written[f"out/{'abc'[len(found)]}.out"] = scene.clock.now
        found.append(scene.done())

    assert found == [1, 1, 3]


def test_an_s3_that_does_not_answer_is_left_alone_and_then_asked_again(scene: Scene) -> None:
    scene.shelf.error = StorageError("s3://b/out/", "ConnectTimeoutError", "no answer")
    assert [scene.done(), scene.done()] == [None, None]
    assert scene.shelf.looks == 1

    scene.shelf.error = None
    scene.clock.now += REST_SECONDS + 1
    assert scene.done() == 0


def test_what_is_not_known(scene: Scene) -> None:
    scene.shelf.error = BucketNotFound("s3://b", "NoSuchBucket", "")
    assert scene.done() is None
    assert scene.outputs.done(scene.job, None) is None
    assert scene.outputs.done(scene.job, MOST + 1) is None
    assert scene.shelf.looks == 1
