"""Queues of Amazon SQS, over an Airflow connection."""

from __future__ import annotations

from typing import Any

from airflow_batchtx.hooks.current import CurrentHook
from airflow_batchtx.sagemaker.queues import Queue


class QueuesHook(CurrentHook):
    """Calls SQS with the very settings that the jobs' hook has; AWS_ENDPOINT_URL_SQS counts as well."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "sqs"})

    def queue(self, name: str) -> Queue:
        """Give the queue of a name or a URL, each call over the client as it is then."""
        return Queue(self.current, name)
