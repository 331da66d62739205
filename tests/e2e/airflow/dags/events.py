"""The examples that events start, as they stand in dags/, but for seconds: Airflow looks for its name in a file."""

from __future__ import annotations

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parents[4] / "dags"

for name in ("score_on_arrival", "after_any_job"):
    globals()[name] = dag = runpy.run_path(str(EXAMPLES / f"{name}.py"))["take"].dag
    for task in dag.tasks:
        if task.task_id == "transform":
            task.poll_interval = 1.0
