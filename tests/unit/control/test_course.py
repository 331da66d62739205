"""From a job to its outcome, over other instance types and past quotas."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.control.assignment import Started
from airflow_batchtx.control.course import QUOTA_PAUSE, next_try, to_end
from airflow_batchtx.control.submission import start
from airflow_batchtx.control.waiting import Watch, waited
from airflow_batchtx.errors import JobCapacityError, Postponed, QuotaExceeded
from airflow_batchtx.spec.lifecycle import failure
from airflow_batchtx.spec.policy import Policy
from tests.fake_batch import World, assignment
from tests.fake_sagemaker import CREATED

TYPES = ("ml.m5.xlarge", "ml.c5.xlarge")


class Course:
    """A piece of work, for the first `failing` jobs of which there is no capacity."""

    def __init__(self, failing: int) -> None:
        self.world = World(life=("InProgress", "Failed"), reason="CapacityError: none left")
        self.world.batch.poisoned = set(self.world.objects)
        self.failing = failing
        self.types: list[str] = []

    def start(self) -> Started:
        if len(self.types) == self.failing:
            self.world.batch.life = ("InProgress", "Completed")
        return start(self.world.services, assignment(instance_types=TYPES))

    def wait(self, started: Started) -> Any:
        return waited(lambda: self.world.services.jobs.look(started.job_name), watch(), sleep=self.world.sleep)

    def conclude(self, started: Started, described: Any) -> str:
        self.types.append(described["TransformResources"]["InstanceType"])
        if error := failure(started.job_name, described["TransformJobStatus"], described.get("FailureReason", "")):
            raise error
        return started.job_name

    def to_end(self) -> str:
        policy = Policy(instance_types=TYPES)
        return to_end(self.start(), policy, start=self.start, wait=self.wait, conclude=self.conclude)


def watch() -> Watch:
    return Watch(job_name="any", interval=1, deadline=None, clock=CREATED.timestamp, chance=lambda: 0.5)


def test_the_types_are_tried_in_turn_and_a_job_of_its_own_on_each() -> None:
    course = Course(failing=2)

    assert course.to_end() == course.world.created[-1]
    assert course.types == ["ml.m5.large", *TYPES]
    assert len(course.world.created) == 3


def test_without_another_type_the_failure_stands() -> None:
    course = Course(failing=3)

    with pytest.raises(JobCapacityError):
        course.to_end()
    assert course.types == ["ml.m5.large", *TYPES]


def test_a_job_that_has_ended_is_not_waited_for() -> None:
    world = World(life=("Completed",))
    start(world.services, assignment())
    started = start(world.services, assignment())

    def wait(_: Started) -> Any:
        raise AssertionError

    assert to_end(started, Policy(), start=lambda: started, wait=wait, conclude=lambda *_: "done") == "done"


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)])
def test_the_next_try_comes_after_the_pause_give_or_take_half(chance: float, pause: float) -> None:
    postponed = Postponed("nightly", "full")

    assert next_try(postponed, Policy(quota_timeout=100), 99, chance) == QUOTA_PAUSE * pause
    assert next_try(postponed, Policy(quota_timeout=100), 99, chance, pause=10) == 10 * pause
    assert next_try(postponed, Policy(), 0, chance) >= 30  # Airflow fails a try that is back sooner


@pytest.mark.parametrize("waited", [100.0, 1e9])
def test_what_keeps_the_job_out_is_raised_in_the_end(waited: float) -> None:
    postponed = Postponed("nightly", "full")
    with pytest.raises(Postponed):
        next_try(postponed, Policy(quota_timeout=100), waited, 0.5)

    postponed.__cause__ = QuotaExceeded("nightly", "full")
    with pytest.raises(QuotaExceeded):
        next_try(postponed, Policy(quota_timeout=100), waited, 0.5)
