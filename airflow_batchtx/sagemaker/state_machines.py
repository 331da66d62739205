"""State machines and their executions, as the API of AWS Step Functions offers them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.errors import InvalidInput, Problem, ServiceUnavailable, StateMachineRefused
from airflow_batchtx.sagemaker.failures import Subject, typed_errors

log = logging.getLogger(__name__)

MACHINE = Subject("state machine", StateMachineRefused, StateMachineRefused)

# Statuses of executions that go on, or that may.
RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"
OPEN = frozenset({RUNNING, "PENDING_REDRIVE"})
EXISTS = "ExecutionAlreadyExists"
_NO_MACHINE = "StateMachineDoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What is known of an execution; `output` is None unless it succeeded, `error` and `cause` are empty then."""

    arn: str
    status: str
    given: Any
    output: Any = None
    error: str = ""
    cause: str = ""

    @property
    def ended(self) -> bool:
        """Tell whether it has ended, in whatever way."""
        return self.status not in OPEN


class StateMachines:
    """Creates state machines, starts and describes executions; safe to share between threads, as its client is."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ensure(self, name: str, definition: Mapping[str, Any], role_arn: str) -> str:
        """Make sure that a state machine is as it is defined, and give what to start it by.

        It lies in the account of its role. That is the ARN of a version where it had to be changed: executions that
        are started just then may find it unchanged. InvalidInput, StateMachineRefused or ServiceUnavailable.
        """
        arn = machine_arn(name, role_arn, self._client.meta.region_name)
        written = json.dumps(definition)
        try:
            with typed_errors(name, MACHINE):
                found = self._client.describe_state_machine(stateMachineArn=arn)
        except StateMachineRefused as refused:
            if refused.code != _NO_MACHINE:
                raise
            with typed_errors(name, MACHINE):
                made = self._client.create_state_machine(name=name, definition=written, roleArn=role_arn)
            return str(made["stateMachineArn"])
        if json.loads(found["definition"]) == definition and found["roleArn"] == role_arn:
            return arn
        with typed_errors(name, MACHINE):
            changed = self._client.update_state_machine(
                stateMachineArn=arn, definition=written, roleArn=role_arn, publish=True
            )
        return str(changed.get("stateMachineVersionArn") or arn)

    def start(self, arn: str, name: str, given: Mapping[str, Any]) -> str:
        """Start an execution, and give its ARN; one that runs under this name with this input is the same one.

        StateMachineRefused, of code EXISTS where the name is taken otherwise, or ServiceUnavailable.
        """
        with typed_errors(name, MACHINE):
            begun = self._client.start_execution(stateMachineArn=arn, name=name, input=written(given))
        return str(begun["executionArn"])

    def describe(self, execution_arn: str) -> Execution:
        """Give what is known of an execution; StateMachineRefused or ServiceUnavailable."""
        with typed_errors(execution_arn, MACHINE):
            found = self._client.describe_execution(executionArn=execution_arn)
        return Execution(
            arn=execution_arn,
            status=found["status"],
            given=json.loads(found.get("input") or "null"),
            output=json.loads(found.get("output") or "null"),
            error=found.get("error") or "",
            cause=found.get("cause") or "",
        )

    def look(self, execution_arn: str) -> Execution | None:
        """Describe an execution; None, and a warning in the log, where Step Functions could not be asked just now."""
        try:
            return self.describe(execution_arn)
        except ServiceUnavailable as miss:
            log.warning("%s; trying again.", miss)
            return None

    def stop(self, execution_arn: str, why: str) -> None:
        """End an execution, which ends the job that `.sync` waits for; StateMachineRefused or ServiceUnavailable."""
        with typed_errors(execution_arn, MACHINE):
            self._client.stop_execution(executionArn=execution_arn, error="Stopped", cause=why)


def written(given: Mapping[str, Any]) -> str:
    """Write an execution's input, the same text for the same input: by it Step Functions tells executions apart."""
    return json.dumps(given, sort_keys=True)


def machine_arn(name: str, role_arn: str, region: str) -> str:
    """Give the ARN of a state machine; InvalidInput where its role is none."""
    parts = role_arn.split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        remedy = "Give the role that Step Functions assumes: arn:aws:iam::123456789012:role/name."
        raise InvalidInput("state machine", (Problem("role_arn", role_arn, "is no ARN of a role", remedy),))
    return f"arn:{parts[1]}:states:{region}:{parts[4]}:stateMachine:{name}"


def unqualified(machine: str) -> str:
    """Give the ARN of a state machine, by its own or by that of a version."""
    return ":".join(machine.split(":")[:7])


def execution_arn(machine: str, name: str) -> str:
    """Give the ARN of an execution, by the ARN of its state machine or of a version of that."""
    *head, _, machine_name = unqualified(machine).split(":")
    return ":".join((*head, "execution", machine_name, name))
