"""DAGs whose tasks do what the conf of their run says.

`{"job": REQUEST}` for the operator, `{"jobs": [REQUEST, ...]}` where it is mapped, `{"jobs": {DAY: REQUEST}}` where it
is backfilled, `{"job_name": NAME}` for the sensor. What no template can say is said by the DAG that is run.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, task

from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.sensors.batch_transform import BatchTransformSensor

DEFERRABLE = {"sync": False, "deferrable": True}
AGAIN: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=1)}
# Seconds: long enough for a job to be created on a busy machine. None of them ends by itself: the tests hold them.
LIMIT = 30
OPERATORS: dict[str, dict[str, Any]] = {
    "patient": AGAIN,
    "once": {"retries": 0},
    "timed": {"retries": 0, "execution_timeout": timedelta(seconds=LIMIT)},
    "bounded": {"retries": 0, "max_runtime": LIMIT / 3},
}
SENSORS: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False, "mode": "poke", "poke_interval": 1},
    # A task that is rescheduled sooner than its last process is gone from the executor is failed by the scheduler.
    "reschedule": {"deferrable": False, "mode": "reschedule", "poke_interval": LIMIT / 2},
    "deferrable": {"deferrable": True, "poke_interval": 1},
}

for way, deferrable in DEFERRABLE.items():
    for name, options in OPERATORS.items():
        with DAG(f"{way}_{name}", schedule=None):
            BatchTransformOperator(
                task_id="score",
                job="{{ dag_run.conf['job'] | tojson }}",
                deferrable=deferrable,
                poll_interval=1,
                **options,
            )

    with DAG(f"{way}_mapped", schedule=None):

        @task
        def plan(dag_run: Any = None) -> list[dict[str, Any]]:
            return dag_run.conf["jobs"]

        BatchTransformOperator.partial(task_id="score", deferrable=deferrable, poll_interval=5, **AGAIN).expand(
            job=plan()
        )

    # Its days are over: nothing runs but what is backfilled.
    days = {
        "start_date": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "end_date": datetime(2026, 1, 31, tzinfo=timezone.utc),
    }
    with DAG(f"{way}_daily", schedule="@daily", catchup=False, **days):
        BatchTransformOperator(
            task_id="score",
            job="{{ dag_run.conf['jobs'][ds] | tojson }}",
            deferrable=deferrable,
            poll_interval=1,
            **AGAIN,
        )

for way, options in SENSORS.items():
    for name, stop in {"leaving": False, "stopping": True}.items():
        with DAG(f"sensor_{way}_{name}", schedule=None):
            BatchTransformSensor(
                task_id="score",
                job_name="{{ dag_run.conf['job_name'] }}",
                timeout=LIMIT,
                stop_on_timeout=stop,
                **options,
            )
