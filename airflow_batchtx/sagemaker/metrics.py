"""Numbers of one's own in CloudWatch, beside those that SageMaker writes there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from airflow_batchtx.spec.measures import Measure, Work


class Metrics:
    """Writes metrics to one namespace of CloudWatch; safe to share between threads, as its client is."""

    def __init__(self, client: Any, namespace: str) -> None:
        self._client, self.namespace = client, namespace

    def put(self, work: Work, measures: Sequence[Measure], at: datetime) -> None:
        """Write numbers by one call, all with the dimensions of the work; nothing where there are none.

        Raises what botocore does. CloudWatch sums up what is written twice.
        """
        if not measures:
            return
        dimensions = [{"Name": name, "Value": value} for name, value in work.dimensions.items()]
        data = [
            {"MetricName": one.name, "Value": one.value, "Unit": one.unit, "Timestamp": at, "Dimensions": dimensions}
            for one in measures
        ]
        self._client.put_metric_data(Namespace=self.namespace, MetricData=data)
