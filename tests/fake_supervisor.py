"""What stands for Airflow's supervisor, which tells a task or trigger the states of task instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult
from airflow.sdk.execution_time.supervisor import set_supervisor_comms


@dataclass
class FakeSupervisor:
    """Tells of every run the same states, by the ids of task instances; `asked` keeps the questions."""

    states: Mapping[str, str | None]
    asked: list[GetTaskStates] = field(default_factory=list)

    def send(self, message: GetTaskStates) -> TaskStatesResult:
        self.asked.append(message)
        return TaskStatesResult(task_states=dict.fromkeys(message.run_ids or (), self.states))


@contextmanager
def supervised(**states: str | None) -> Iterator[FakeSupervisor]:
    """Let there be a supervisor."""
    supervisor = FakeSupervisor(states)
    with set_supervisor_comms(supervisor):
        yield supervisor
