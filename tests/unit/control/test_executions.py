"""One execution for one piece of work: started, adopted, taken, or made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.control.executions import begun, output_of, waited
from airflow_batchtx.errors import ExecutionFailed, StateMachineRefused
from airflow_batchtx.sagemaker.state_machines import Execution, StateMachines
from airflow_batchtx.spec.naming import Identity, job_name
from tests.fake_states import FakeStates, refusal

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:churn"
WORK = Identity(namespace="", dag_id="churn", task_id="score", run_id="monday", map_index=-1)
GIVEN = {"input": "s3://lake/in/"}


def names(states: FakeStates) -> list[str]:
    return [arn.rpartition(":")[2] for arn in states.started]


def begin(states: FakeStates, work: Identity = WORK, given: dict[str, Any] = GIVEN) -> Execution:
    return begun(StateMachines(states), MACHINE, "nightly", work, given)


def ended(states: FakeStates) -> None:
    """Let all executions come to their ends."""
    for execution in states.executions.values():
        execution["left"] = execution["left"][-1:]


def test_its_name_is_made_of_the_work() -> None:
    states = FakeStates()

    begin(states)
    begin(states, replace(WORK, run_id="tuesday"))

    assert names(states) == [job_name("nightly", WORK), job_name("nightly", replace(WORK, run_id="tuesday"))]


@pytest.mark.parametrize("given", [GIVEN, {"input": "s3://lake/other/"}])
def test_one_that_runs_is_adopted_whatever_its_input(given: dict[str, Any]) -> None:
    states = FakeStates(life=("RUNNING",))

    first, second = begin(states), begin(states, given=given)

    assert (first.arn, second.ended) == (second.arn, False)
    assert len(states.started) == 1


def test_another_input_of_one_that_runs_is_told(caplog: pytest.LogCaptureFixture) -> None:
    states = FakeStates(life=("RUNNING",))
    begin(states)

    begin(states, given={"input": "s3://lake/other/"})

    assert "another input" in caplog.text


def test_one_that_succeeded_with_the_same_input_is_taken() -> None:
    states = FakeStates()
    begin(states)
    ended(states)

    again = begin(states)

    assert output_of(again) == states.output
    assert len(states.started) == 1


@pytest.mark.parametrize(("life", "given"), [
    (("RUNNING", "FAILED"), GIVEN),
    (("RUNNING", "ABORTED"), GIVEN),
    (("RUNNING", "TIMED_OUT"), GIVEN),
    (("RUNNING", "SUCCEEDED"), {"input": "s3://lake/other/"}),
])  # fmt: skip
def test_after_any_other_there_is_a_next_attempt(life: tuple[str, ...], given: dict[str, Any]) -> None:
    states = FakeStates(life=life)
    begin(states)
    ended(states)

    begin(states, given=given)
    begin(states, given=given)

    assert names(states) == [job_name("nightly", WORK), job_name("nightly", WORK, 2)]


def test_what_is_refused_otherwise_is_told() -> None:
    class Full(FakeStates):
        def start_execution(self, **_: Any) -> Any:
            raise refusal("StartExecution", "ExecutionLimitExceeded")

    with pytest.raises(StateMachineRefused):
        begin(Full())


def test_looks_that_fail_do_not_end_a_wait() -> None:
    states = FakeStates(life=("RUNNING", "RUNNING", "FAILED"))
    machines, pauses = StateMachines(states), []
    execution = begin(states)
    states.failing = [refusal("DescribeExecution", "ThrottlingException")]

    end = waited(lambda: machines.look(execution.arn), lambda: pauses.append(1))

    assert (end.status, len(pauses)) == ("FAILED", 3)
    with pytest.raises(ExecutionFailed) as failed:
        output_of(end)
    assert (failed.value.error, failed.value.cause) == ("AlgorithmError", "so it is")
