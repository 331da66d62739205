"""What tasks tell CloudWatch, over an Airflow connection, where `[batchtx] metrics_namespace` asks for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context, conf
from botocore.config import Config

from airflow_batchtx.hooks.current import CurrentHook
from airflow_batchtx.sagemaker.metrics import Metrics
from airflow_batchtx.spec.measures import Measure, Work, model_of, of_transform
from airflow_batchtx.spec.result import TransformResult

if TYPE_CHECKING:
    from airflow_batchtx.hooks.connected import ConnectedOperator

log = logging.getLogger(__name__)

# Numbers are worth no wait: from a network without a way to CloudWatch no answer comes.
BRIEF = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})


class MetricsHook(CurrentHook):
    """Calls CloudWatch with the very settings that the jobs' hook has, but for its patience."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "cloudwatch"})

    def metrics(self, namespace: str) -> Metrics:
        """Give what writes metrics to a namespace."""
        client = self.get_client_type(region_name=self.region_name, config=self.config.merge(BRIEF))
        return Metrics(client, namespace)


def publish_job_metrics(context: Context, task: ConnectedOperator, result: TransformResult) -> None:
    """Tell CloudWatch what a job took, at the time of its end; never raises."""
    publish_metrics(context, task, of_transform(result), model_name=model_of(result), at=result.ended)


def publish_metrics(
    context: Context,
    task: ConnectedOperator,
    measures: Sequence[Measure],
    *,
    model_name: str | None = None,
    at: str | None = None,
) -> None:
    """Tell CloudWatch a task's numbers, by its connection; a warning in the log is all that may come of it.

    `at` is the time that they are of, in ISO 8601; now unless it is given.
    """
    try:
        if not (namespace := conf.get("batchtx", "metrics_namespace", fallback=None)):
            return
        ti = context["ti"]
        work = Work(dag_id=ti.dag_id, task_id=ti.task_id, model_name=model_name or "")
        moment = datetime.fromisoformat(at) if at else datetime.now(timezone.utc)
        MetricsHook(**task.aws).metrics(namespace).put(work, measures, moment)
    except Exception as error:  # noqa: BLE001 - whatever it is, the work is done
        log.warning("CloudWatch was not told the numbers of this task: %r", error)
