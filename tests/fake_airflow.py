"""What stands for Airflow where a task is tried without it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import Any

from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from airflow.sdk.execution_time.comms import TaskStatesResult
from airflow.sdk.execution_time.supervisor import set_supervisor_comms

from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger
from tests.fake_batch import World
from tests.fake_sagemaker import FakeHook
from tests.virtual_time import VirtualLoop, run_in_no_time


@dataclass
class FakeTaskInstance:
    """The part of a task instance that tasks use."""

    dag_id: str = "churn"
    task_id: str = "score"
    run_id: str = "scheduled__2026-11-23"
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    id: str = "of this try"
    xcoms: dict[str, Any] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def start_date(self) -> datetime:
        return self.started

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)

    def get_first_reschedule_date(self, _: Any) -> datetime:
        return self.started


@contextmanager
def airflow_says(ti: FakeTaskInstance, state: str | None, *, known: bool = True) -> Iterator[None]:
    """Let Airflow know a task instance as being in a state, or not at all."""

    class Comms:
        def send(self, _: Any) -> TaskStatesResult:
            return TaskStatesResult(task_states={ti.run_id: {ti.task_id: state}} if known else {})

    with set_supervisor_comms(Comms()):
        yield


def run(task: Any, world: World, ti: FakeTaskInstance | None = None) -> Any:
    """Run a task to its end as Airflow would, deferrals and reschedules included."""
    context = {"ti": ti or FakeTaskInstance()}
    task.services = world.services
    step: Callable[[], Any] | None = partial(task.execute, context)
    made: Any = None
    while step is not None:
        made, step = _taken(step, task, context, world)
    return made


def _taken(
    step: Callable[[], Any], task: Any, context: Mapping[str, Any], world: World
) -> tuple[Any, Callable[[], Any] | None]:
    """Take one step of a task: what it returned, or the step that comes next."""
    try:
        return step(), None
    except AirflowRescheduleException:
        return None, partial(task.execute, context)
    except TaskDeferred as deferral:
        event = fired(deferral.trigger, FakeHook(world.batch))
        world.now = max(world.now, time.time())  # triggers live in real time
        return None, partial(getattr(task, deferral.method_name), context, event=event, **(deferral.kwargs or {}))


def fired(trigger: Any, hook: BatchTransformHook) -> Mapping[str, str]:
    """Make the trigger anew, as a triggerer does, and give its event."""
    path, arguments = trigger.serialize()
    assert path == f"{BatchTransformTrigger.__module__}.{BatchTransformTrigger.__name__}"
    again = BatchTransformTrigger(**arguments)
    again.hook = hook  # type: ignore[misc]

    async def first(_: VirtualLoop) -> Mapping[str, str]:
        payload: Mapping[str, str] = (await anext(again.run())).payload
        return payload

    return run_in_no_time(first)
