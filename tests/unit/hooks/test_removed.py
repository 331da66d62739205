"""What removed instances of a mapped task returned is not taken any more."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.hooks.removed import forget_removed
from tests.fake_airflow import FakeTaskInstance
from tests.fake_supervisor import supervised

GROUPED = "scoring.prepare_2"


@pytest.mark.parametrize(
    ("states", "removed"),
    [
        ({}, ()),
        ({0: "running", 1: "success", 2: None}, ()),
        ({0: "running", 11: "removed", 2: "removed", 1: "failed"}, (2, 11)),
    ],
)
def test_removed_instances_alone_are_forgotten(states: dict[int, str | None], removed: tuple[int, ...]) -> None:
    ti = FakeTaskInstance(task_id=GROUPED, map_index=0)
    told = {f"{GROUPED}_{index}": state for index, state in states.items()}
    forgotten: list[Any] = []

    found = forget_removed(
        ti, states=lambda **_: {ti.run_id: told}, forget=lambda *instance: forgotten.append(instance)
    )

    assert found == removed
    assert forgotten == [(ti, index) for index in removed]


def test_airflow_is_asked_for_the_instances_of_this_task_in_this_run() -> None:
    with supervised(score_0="success", score_1="running") as supervisor:
        assert forget_removed(FakeTaskInstance(map_index=1)) == ()

    (message,) = supervisor.asked
    assert (message.dag_id, message.task_ids, message.run_ids) == ("churn", ["score"], ["scheduled__2026-11-23"])
    assert message.map_index is None


def test_a_task_that_is_not_mapped_asks_nothing() -> None:
    with supervised() as supervisor:
        assert forget_removed(FakeTaskInstance()) == ()

    assert supervisor.asked == []
