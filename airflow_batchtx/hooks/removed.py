"""Instances of a mapped task that are no more: Airflow keeps what they returned, for whoever takes what all return."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow_batchtx.hooks.stopping import States, TaskInstance, task_states

log = logging.getLogger(__name__)

REMOVED = "removed"
# Deletes what the instance of this index returned; nothing, where it returned nothing.
Forget = Callable[[TaskInstance, int], None]


def forget_removed(
    task_instance: TaskInstance, *, states: States | None = None, forget: Forget | None = None
) -> tuple[int, ...]:
    """Delete what removed instances of a mapped task returned in this run, and give their map indexes.

    A run that is cleared once there are fewer things to map over has removed instances. Whoever takes `task.output`
    would still be given what they returned before. `states` is the Task SDK's `RuntimeTaskInstance.get_task_states`.
    """
    if task_instance.map_index is None or task_instance.map_index < 0:
        return ()
    asked = {"dag_id": task_instance.dag_id, "task_ids": [task_instance.task_id], "run_ids": [task_instance.run_id]}
    if states is None and not _is_run():
        return ()
    found = (states or task_states)(**asked).get(task_instance.run_id, {})
    # Airflow names a mapped instance by the ids of both.
    removed = sorted(int(name.rpartition("_")[2]) for name, state in found.items() if state == REMOVED)
    for index in removed:
        (forget or _forget)(task_instance, index)
    if removed:
        log.info("What %d removed instances of this task returned before is no longer taken: %s", len(removed), removed)
    return tuple(removed)


def _is_run() -> bool:
    """Tell whether Airflow runs this task: who calls `execute` otherwise has no instances, and nobody to ask."""
    from airflow.sdk.execution_time import task_runner

    return hasattr(task_runner, "SUPERVISOR_COMMS")


def _forget(task_instance: TaskInstance, index: int) -> None:
    from airflow.sdk.execution_time.xcom import XCom

    XCom.delete(
        key=XCom.XCOM_RETURN_KEY,
        dag_id=task_instance.dag_id,
        task_id=task_instance.task_id,
        run_id=task_instance.run_id,
        map_index=index,
    )
