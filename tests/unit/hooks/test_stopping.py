"""Whether a killed task's job is stopped."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import TaskInstanceState

from airflow_batchtx.hooks.stopping import stop_wanted
from tests.fake_airflow import FakeTaskInstance
from tests.fake_supervisor import supervised

STATES = {
    "failed": True, "success": True, "skipped": True, "removed": True, "upstream_failed": True,
    "running": False, "queued": False, "scheduled": False, "restarting": False, "up_for_retry": False,
    "deferred": False, "up_for_reschedule": False, "awaiting_input": False, None: False,
}  # fmt: skip


def answering(states: dict[str, dict[str, Any]]) -> Any:
    return lambda **_: states


@pytest.mark.parametrize(("state", "wanted"), STATES.items())
@pytest.mark.parametrize("map_index", [-1, 7])
def test_a_job_is_stopped_only_if_its_task_is_over(state: str | None, wanted: bool, map_index: int) -> None:
    ti = FakeTaskInstance(map_index=map_index)
    name = "score" if map_index < 0 else f"score_{map_index}"

    assert stop_wanted(ti, states=answering({ti.run_id: {name: state}})) is wanted


def test_the_rule_knows_every_state_of_airflow() -> None:
    assert set(STATES) == {state.value for state in TaskInstanceState} | {None}


@pytest.mark.parametrize("states", [{}, {"another run": {"score": "running"}}, {"scheduled__2026-11-23": {}}])
def test_a_task_instance_that_is_gone_wants_nothing(states: dict[str, dict[str, Any]]) -> None:
    assert stop_wanted(FakeTaskInstance(), states=answering(states))


def test_airflow_is_asked_for_this_instance_alone() -> None:
    with supervised(score_3="deferred") as supervisor:
        assert not stop_wanted(FakeTaskInstance(map_index=3))

    (message,) = supervisor.asked
    assert (message.dag_id, message.task_ids, message.run_ids) == ("churn", ["score"], ["scheduled__2026-11-23"])
    assert message.map_index == 3
