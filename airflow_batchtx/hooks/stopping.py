"""When a job is stopped because its task is killed: one rule for workers and triggers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

log = logging.getLogger(__name__)

# A task instance in one of these has no try to come that would adopt the job. In all other states one has, or may have:
# Airflow also kills what it moves to another worker or triggerer, what a user clears, and what a pod's eviction ends.
OVER = frozenset({"failed", "success", "skipped", "removed", "upstream_failed"})

States = Callable[..., Mapping[str, Mapping[str, Any]]]


class TaskInstance(Protocol):
    """What names a task instance, on a worker and in a triggerer alike."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int | None


def stop_wanted(task_instance: TaskInstance, *, states: States | None = None) -> bool:
    """Tell whether nobody will want the job of a task any more: its instance is over, or gone.

    Asks Airflow, which blocks, raises Airflow's errors and must not be done in a signal's handler. `states` is the
    Task SDK's `RuntimeTaskInstance.get_task_states`.
    """
    found = (states or task_states)(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index,
    )
    # The one instance that was asked for, under its task's id; a mapped one under an id made of both.
    known = found.get(task_instance.run_id, {}).values()
    return not known or all(state in OVER for state in known)


def ended_meanwhile(task_instance: TaskInstance) -> bool:
    """Tell whether Airflow has ended a task that works still; not where Airflow does not say."""
    try:
        return stop_wanted(task_instance)
    except Exception as error:  # noqa: BLE001 - whatever it is, the job runs, and the task goes on with it
        log.warning("Airflow does not say whether this task is over: %r", error)
        return False


def task_states(**asked: Any) -> Mapping[str, Mapping[str, Any]]:
    """Ask Airflow for the states of task instances, by run and by what it names them."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_task_states(**asked)
