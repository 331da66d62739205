"""Which commands outside of Airflow are of one round, and which begin another."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.rounds import in_its_round
from airflow_batchtx.control.submission import start
from airflow_batchtx.spec.policy import Verify
from airflow_batchtx.spec.prices import PriceTable
from tests.fake_batch import World, assignment


def round_of(world: World, **policy: Any) -> int | None:
    return in_its_round(world.services, assignment(epoch=None, **policy)).epoch


def test_the_first_round_lasts_until_its_outcome_is_taken() -> None:
    world = World(life=("InProgress", "InProgress", "Completed"))
    before = round_of(world)
    started = start(world.services, assignment(epoch=0))
    running, completed = round_of(world), [round_of(world) for _ in range(3)]

    described = world.services.jobs.describe(started.job_name)
    Ending(services=world.services, policy=assignment().policy, prices=PriceTable(prices={})).concluded(
        described, started.on_record
    )

    assert (before, running, set(completed), round_of(world)) == (0, 0, {0}, 1)


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_job_that_ended_in_vain_ends_its_round(status: str) -> None:
    world = World(life=(status,))
    start(world.services, assignment(epoch=0))

    assert round_of(world) == 1


def test_where_nothing_is_proved_an_end_is_an_end() -> None:
    world = World(life=("Completed",))
    start(world.services, assignment(epoch=0))

    assert (round_of(world), round_of(world, verify=Verify.NONE)) == (0, 1)


def test_later_attempts_count_on() -> None:
    world = World(life=("Failed",), reason="AlgorithmError: boom")
    world.batch.poisoned = {"s3://b/in/a.csv"}
    for epoch in range(3):
        start(world.services, assignment(epoch=epoch))

    assert round_of(world) == 3
