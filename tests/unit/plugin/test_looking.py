"""Who looks at the page asks SageMaker seldom, waits for it not long, and reads why where it does not tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.control.assignment import Started
from airflow_batchtx.control.submission import start
from airflow_batchtx.plugin.looking import FRESH, FRESH_FAILURE, Looker
from airflow_batchtx.spec.card import JobCard
from airflow_batchtx.spec.uri import S3Uri
from benchmarks.task_jobs import RESULT
from tests.fake_batch import World, assignment
from tests.fake_sagemaker import refusal

SOON = 30.0  # seconds for which a test has patience


class Watching:
    """A looker at the jobs of a world, on a clock that tests move."""

    def __init__(self, world: World) -> None:
        self.world, self.now = world, 0.0
        self.ways: list[str | None] = []
        self.looker = Looker(self._connect, clock=lambda: self.now)
        self.started = start(world.services, assignment())
        self.card = card_of(self.started)
        world.batch.calls.clear()

    def _connect(self, card: JobCard) -> Any:
        self.ways.append(card.aws_conn_id)
        return self.world.services

    def look(self, patience: float = SOON) -> Any:
        return self.looker.looks({"it": self.card}, patience=patience).get("it")

    @property
    def asked(self) -> int:
        return len(self.world.batch.names("DescribeTransformJob"))


def card_of(started: Started) -> JobCard:
    told = replace(RESULT, job_name=started.job_name, job_arn=started.job_arn, control=str(started.folder))
    return JobCard(result=replace(told, status="InProgress"))


@pytest.fixture
def watching() -> Iterator[Callable[[World], Watching]]:
    made: list[Watching] = []

    def watch(world: World) -> Watching:
        made.append(Watching(world))
        return made[-1]

    yield watch
    for one in made:
        one.looker.close()


def test_a_running_job_is_asked_for_again_only_after_a_while(watching: Callable[[World], Watching]) -> None:
    here = watching(World(life=("InProgress",)))

    assert here.look().described["TransformJobStatus"] == "InProgress"
    here.now = FRESH - 0.1
    here.look()
    assert here.asked == 1
    here.now = FRESH
    here.look()
    assert here.asked == 2


def test_a_job_that_has_ended_is_never_asked_for_again(watching: Callable[[World], Watching]) -> None:
    here = watching(World(life=("Completed",)))

    for here.now in (0.0, 1e3, 1e6):
        assert here.look().is_final

    assert here.asked == 1


def test_outputs_of_a_running_job_are_counted(watching: Callable[[World], Watching]) -> None:
    here = watching(World(life=("InProgress",)))
    here.world.store.put(S3Uri("b", "out/a.csv.out"), b"1")

    progress = here.look().progress

    assert (progress.done, progress.total) == (1, 3)


def test_why_it_is_not_known_is_told_and_nobody_asks_soon_again(watching: Callable[[World], Watching]) -> None:
    here = watching(World(life=("InProgress",)))
    here.world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "AccessDeniedException")]

    seen = here.look()
    assert seen.described is None
    assert "AccessDenied" in seen.failed
    here.now = FRESH_FAILURE - 0.1
    assert here.look() is seen
    here.now = FRESH_FAILURE
    assert here.look().failed == ""


def test_a_connection_that_cannot_be_made_is_no_error_of_the_page() -> None:
    def broken(_: JobCard) -> Any:
        raise ValueError("The conn_id `x` isn't defined")

    looker = Looker(broken)
    look = looker.looks({1: JobCard(result=RESULT)}, patience=SOON)[1]
    looker.close()

    assert look.failed == "ValueError: The conn_id `x` isn't defined"


def test_nobody_waits_for_a_place_that_does_not_answer_and_it_is_asked_once(
    watching: Callable[[World], Watching],
) -> None:
    here, answer = watching(World(life=("InProgress",))), threading.Event()
    describe = here.world.batch.describe_transform_job

    def slow(**request: Any) -> Any:
        answer.wait(SOON)
        return describe(**request)

    here.world.batch.describe_transform_job = slow  # type: ignore[method-assign]
    assert here.look(patience=0.01) is None
    assert here.look(patience=0.01) is None
    answer.set()
    assert here.look().described is not None
    assert here.asked == 1


def test_jobs_of_the_same_name_in_two_accounts_are_two(watching: Callable[[World], Watching]) -> None:
    here = watching(World(life=("InProgress",)))
    other = replace(here.card, aws_conn_id="other")

    looks = here.looker.looks({1: here.card, 2: other}, patience=SOON)

    assert set(looks) == {1, 2}
    assert sorted(map(str, here.ways)) == ["aws_default", "other"]
