"""The examples that score flights, as they stand in dags/, but for seconds: short pauses, jobs that meet each other.

Airflow reads files that speak of DAGs and of itself.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parents[4] / "dags"
# Seconds. A task that comes again sooner than its last process is gone from the executor is failed by the scheduler.
QUOTA_PAUSE = 20.0
# One that goes on before the scheduler has heard of the end of its last process may be taken for one that was killed.
FAULTS = {"provisioning_seconds": 8}

for name in ("flight_delays", "score_range"):
    transform = runpy.run_path(str(EXAMPLES / f"{name}.py"))["transform"]
    transform.quota_pause, transform.poll_interval = QUOTA_PAUSE, 1.0
    transform.job["Environment"] = {"BATCHTX_FAULTS": json.dumps(FAULTS)}
    globals()[name] = transform.dag
