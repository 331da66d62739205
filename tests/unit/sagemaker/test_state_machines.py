"""State machines and executions over a client of Step Functions."""

from __future__ import annotations

import pytest

from airflow_batchtx.errors import InvalidInput, ServiceUnavailable, StateMachineRefused
from airflow_batchtx.sagemaker.state_machines import StateMachines, execution_arn, machine_arn, unqualified
from tests.fake_states import ROLE, FakeStates, refusal

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:churn"
RUN = "arn:aws:states:eu-west-1:123456789012:execution:churn:a"
FIRST, SECOND = {"StartAt": "A"}, {"StartAt": "B"}


def test_a_state_machine_is_made_once() -> None:
    states = FakeStates()

    assert [StateMachines(states).ensure("churn", FIRST, ROLE) for _ in range(2)] == [ARN, ARN]
    assert list(states.machines) == [ARN]


@pytest.mark.parametrize(("definition", "role"), [(SECOND, ROLE), (FIRST, ROLE + "-2")])
def test_one_that_is_changed_is_started_by_its_version(definition: dict[str, str], role: str) -> None:
    """An execution that is started just then may run the former definition otherwise."""
    machines = StateMachines(FakeStates())
    machines.ensure("churn", FIRST, ROLE)

    assert machines.ensure("churn", definition, role) == f"{ARN}:1"
    assert machines.ensure("churn", definition, role) == ARN


def test_it_lies_in_its_roles_account_and_partition() -> None:
    china = machine_arn("churn", "arn:aws-cn:iam::210987654321:role/path/x", "cn-north-1")

    assert china == "arn:aws-cn:states:cn-north-1:210987654321:stateMachine:churn"


@pytest.mark.parametrize("role", ["states", "arn:aws:sns:eu-west-1:123456789012:x", "arn:aws:iam::123456789012:user/x"])
def test_what_is_no_role(role: str) -> None:
    with pytest.raises(InvalidInput, match="role_arn"):
        machine_arn("churn", role, "eu-west-1")


@pytest.mark.parametrize("machine", [ARN, f"{ARN}:12"])
def test_a_version_is_one_of_its_state_machine(machine: str) -> None:
    assert unqualified(machine) == ARN


@pytest.mark.parametrize("machine", [ARN, f"{ARN}:12"])
def test_the_execution_of_a_version_is_one_of_its_state_machine(machine: str) -> None:
    assert execution_arn(machine, "a") == RUN


def test_errors_are_typed() -> None:
    states = FakeStates()
    machines = StateMachines(states)
    machines.start(ARN, "a", {})
    states.failing = [refusal("DescribeExecution", "InvalidArn"), refusal("DescribeExecution", "ThrottlingException")]

    with pytest.raises(ServiceUnavailable):
        machines.describe(RUN)
    with pytest.raises(StateMachineRefused) as refused:
        machines.describe(RUN)
    assert refused.value.code == "InvalidArn"


def test_a_look_that_fails_is_none() -> None:
    states = FakeStates()
    machines = StateMachines(states)
    machines.start(ARN, "a", {"x": 1})
    states.failing = [refusal("DescribeExecution", "ThrottlingException")]

    assert machines.look(RUN) is None
    seen = machines.look(RUN)
    assert seen is not None
    assert (seen.status, seen.given, seen.ended) == ("RUNNING", {"x": 1}, False)
