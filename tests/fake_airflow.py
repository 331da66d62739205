"""What stands for Airflow where a task is tried without it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred

from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger


@dataclass
class FakeTaskInstance:
    """The part of a task instance that tasks use."""

    dag_id: str = "churn"
    task_id: str = "score"
    run_id: str = "scheduled__2026-11-23"
    map_index: int = -1
    try_number: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def get_first_reschedule_date(self, _: Any) -> datetime:
        return self.started


def run(task: Any, hook: BatchTransformHook, ti: FakeTaskInstance | None = None) -> Any:
    """Run a task to its end as Airflow would, deferrals and reschedules included."""
    context = {"ti": ti or FakeTaskInstance()}
    task.hook = hook
    while True:
        try:
            return task.execute(context)
        except AirflowRescheduleException:
            continue
        except TaskDeferred as deferral:
            trigger, method = deferral.trigger, deferral.method_name
        event = fired(trigger, hook)
        return getattr(task, method)(context, event=event)


def fired(trigger: Any, hook: BatchTransformHook) -> Mapping[str, str]:
    """Make the trigger anew, as a triggerer does, and give its event."""
    path, arguments = trigger.serialize()
    assert path == f"{BatchTransformTrigger.__module__}.{BatchTransformTrigger.__name__}"
    again = BatchTransformTrigger(**arguments)
    again.hook = hook  # type: ignore[misc]

    async def first() -> Any:
        return await anext(again.run())

    payload: Mapping[str, str] = asyncio.run(first()).payload
    return payload
