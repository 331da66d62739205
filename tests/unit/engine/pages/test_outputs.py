from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_batchtx.engine import worklist
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.pages.listings import FRESH_SECONDS, MOST_LISTED, REST_SECONDS
from airflow_batchtx.engine.pages.outputs import LIST_SECONDS, MOST, PAGE_SECONDS, Outputs
from airflow_batchtx.engine.registry import Job, Model, Registry
from airflow_batchtx.errors import BucketNotFound, StorageError
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject

START = 1_700_000_000.7


@dataclass
class Shelf:
    """The listing of a store: keys and when they were written. Counts how often it is looked at, and takes its time."""

    written: dict[str, float] = field(default_factory=dict)
    error: Exception | None = None
    looks: int = 0
    given: int = 0
    passes: Callable[[], None] = lambda: None

    def objects(self, prefix: S3Uri) -> Iterator[StoredObject]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        for key, time in sorted(self.written.items()):
            if key.startswith(prefix.key):
                self.given += 1
                self.passes()
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
    home: Path

    @property
    def job(self) -> Job:
        return self.named("job")

    def add(self, name: str, output: str = "s3://b/out") -> Job:
        """Add a job of objects a to e that has started."""
        request = {"TransformOutput": {"S3OutputPath": output}}
        job = self.registry.add_job("r", name, request, Model("r", "m", 0.0, {}), {})
        assert job is not None
        folder = S3Uri.parse(f"{output}/")
        transfers = [Transfer(S3Uri("b", f"in/{name}"), folder / f"{name}.out") for name in "abcde"]
        worklist.write(JobFolder.of(self.home, job).objects, transfers)
        self.registry.mark_started(job)
        return self.named(name)

    def fail(self, name: str) -> Job:
        """Add a job that has failed."""
        self.registry.move(self.add(name), JobStatus.FAILED, "ClientError")
        return self.named(name)

    def named(self, name: str) -> Job:
        found = self.registry.job("r", name)
        assert found is not None
        return found

    def each_object_takes(self, seconds: float) -> None:
        def passes() -> None:
            self.clock.now += seconds

        self.shelf.passes = passes

    def done(self, objects: int = 5) -> int | None:
        return self.outputs.done(self.job, objects)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock, shelf = Clock(), Shelf()
    with closing(Registry(Path(":memory:"), clock)) as registry:
        outputs = Outputs(shelf, tmp_path, clock)  # type: ignore[arg-type]  # it only lists
        scene = Scene(registry, shelf, clock, outputs, tmp_path)
        scene.add("job")
        yield scene


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


# ----------------------------------------------------------------------------------------------- a list of many jobs


def test_jobs_of_one_prefix_share_a_look_and_are_counted_for_good(scene: Scene) -> None:
    jobs = [(scene.fail(f"failed-{number}"), 5) for number in range(50)]
    scene.shelf.written = {"out/a.out": START, "out/b.out": START + 1}
    scene.clock.now = START + 10

    first = scene.outputs.counts(jobs)
    scene.clock.now += 1_000
    again = scene.outputs.counts(jobs)

    assert first == again == [2] * 50
    assert scene.shelf.looks == 1


def test_a_look_that_was_taken_before_the_end_is_not_kept(scene: Scene) -> None:
    job = scene.fail("failed")
    found = []
    for now in (START + 0.5, START + 10):
        scene.clock.now = now
        scene.shelf.written[f"out/{'ab'[len(found)]}.out"] = START
        found += scene.outputs.counts([(job, 5)])

    assert found == [1, 2]


def test_a_list_is_not_kept_waiting(scene: Scene) -> None:
    jobs = [(scene.fail(f"failed-{number}"), 5) for number in range(50)]
    scene.shelf.written = {f"out/{number:04}": START for number in range(4_000)}
    scene.each_object_takes(LIST_SECONDS / 10)
    begun = scene.clock.now

    assert scene.outputs.counts(jobs) == [None] * 50
    assert scene.clock.now - begun <= LIST_SECONDS * 1.2
    assert scene.shelf.looks == 1


def test_a_look_that_took_too_long_is_gone_on_with(scene: Scene) -> None:
    jobs = [(scene.fail(f"failed-{number}"), 5) for number in range(50)]
    scene.shelf.written = {f"out/{number:04}": START for number in range(30)} | {"out/a.out": START}
    scene.each_object_takes(LIST_SECONDS / 10)
    scene.clock.now = START + 10

    found = []
    while len(found) < 10 and (not found or found[-1] != [1] * 50):
        found.append(scene.outputs.counts(jobs))
        scene.clock.now += 3

    assert found[:-1] == [[None] * 50] * (len(found) - 1)
    assert found[-1] == [1] * 50
    assert (scene.shelf.looks, scene.shelf.given) == (1, 31)


def test_a_look_that_was_left_long_ago_begins_anew(scene: Scene) -> None:
    job = scene.fail("failed")
    scene.shelf.written = {"out/a.out": START, "out/b.out": START}
    scene.each_object_takes(LIST_SECONDS * 2)
    assert scene.outputs.counts([(job, 5)]) == [None]

    scene.each_object_takes(0)
    scene.clock.now += 600
    assert scene.outputs.counts([(job, 5)]) == [2]
    assert (scene.shelf.looks, scene.shelf.given) == (2, 3)


def test_the_page_of_a_job_has_more_patience_and_does_not_keep_the_s3_busy(scene: Scene) -> None:
    scene.shelf.written = {"out/a.out": START + 1}
    scene.each_object_takes(PAGE_SECONDS / 2)

    assert scene.done() == 1
    scene.clock.now += PAGE_SECONDS
    assert scene.done() == 1
    assert scene.shelf.looks == 1

    scene.each_object_takes(PAGE_SECONDS * 2)
    scene.clock.now += 10 * PAGE_SECONDS
    assert scene.done() is None


def test_only_so_many_objects_are_looked_at(scene: Scene) -> None:
    scene.shelf.written = {f"out/{number:06}": START for number in range(MOST_LISTED + 10)} | {"out/a.out": START}

    assert scene.done() == 0
    assert scene.shelf.given == MOST_LISTED


def test_listings_of_many_prefixes_are_forgotten(scene: Scene) -> None:
    jobs = [(scene.add(f"job-{number}", f"s3://b/out-{number}"), 5) for number in range(20)]

    scene.outputs.counts(jobs)
    scene.outputs.counts(jobs[-1:])
    looks = scene.shelf.looks
    scene.outputs.counts(jobs[:1])

    assert (looks, scene.shelf.looks) == (20, 21)
