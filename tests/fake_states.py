"""Step Functions in memory: state machines, and executions that end as a test says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/states"


def refusal(operation: str, code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation
    )  # type: ignore[typeddict-item]


@dataclass
class FakeStates:
    """Behaves as API reference and user guide say; an execution of `lives` shows one status more at each look."""

    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    life: tuple[str, ...] = ("RUNNING", "SUCCEEDED")
    output: Any = field(default_factory=lambda: {"TransformJobStatus": "Completed"})
    error: str = "AlgorithmError"
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    failing: list[Exception] = field(default_factory=list)
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name="eu-west-1"))

    def describe_state_machine(self, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803 - AWS's words
        if stateMachineArn not in self.machines:
            raise refusal("DescribeStateMachine", "StateMachineDoesNotExist")
        return self.machines[stateMachineArn]

    def create_state_machine(self, name: str, definition: str, roleArn: str) -> dict[str, str]:  # noqa: N803
        account = roleArn.split(":")[4]
        arn = f"arn:aws:states:eu-west-1:{account}:stateMachine:{name}"
        self.machines[arn] = {"definition": definition, "roleArn": roleArn}
        return {"stateMachineArn": arn}

    def update_state_machine(self, stateMachineArn: str, publish: bool, **changed: Any) -> dict[str, str]:  # noqa: N803
        assert publish
        self.machines[stateMachineArn] = changed
        return {"stateMachineVersionArn": f"{stateMachineArn}:1"}

    def start_execution(self, stateMachineArn: str, name: str, input: str) -> dict[str, str]:  # noqa: A002, N803
        *head, _, machine = stateMachineArn.split(":")[:7]
        arn = ":".join((*head, "execution", machine, name))
        found = self.executions.get(arn)
        if found and (found["input"] != input or found["left"][0] != "RUNNING"):
            raise refusal("StartExecution", "ExecutionAlreadyExists")
        if not found:
            self.executions[arn] = {"input": input, "left": list(self.life)}
            self.started.append(arn)
        return {"executionArn": arn}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        if self.failing:
            raise self.failing.pop()
        found = self.executions[executionArn]
        status = found["left"][0]
        if len(found["left"]) > 1:
            found["left"].pop(0)
        ends = {"SUCCEEDED": {"output": json.dumps(self.output)}, "FAILED": {"error": self.error, "cause": "so it is"}}
        return {"status": status, "input": found["input"], **ends.get(status, {})}

    def stop_execution(self, executionArn: str, **_: Any) -> None:  # noqa: N803
        self.stopped.append(executionArn)
        self.executions[executionArn]["left"] = ["ABORTED"]
