"""The containers of one model in a row: what one answers, the next is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.modelserver.connection import Body
from airflow_batchtx.modelserver.contract import ExecutionParameters
from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A serial inference pipeline of one container or more, to be asked like one model from any number of threads.

    The first container is sent the job's ContentType, each further one the Content-Type of the answer before it. Only
    the last one is sent the job's Accept: those before it answer in a type of their own choice.
    Source: aws/amazon-sagemaker-examples#729, #3235.
    """

    clients: Sequence[ModelClient]

    def execution_parameters(self) -> ExecutionParameters | None:
        """Ask the first container, which gets the payloads that are cut to its wishes."""
        return self.clients[0].execution_parameters()

    def invoke(self, body: Body, *, content_type: str | None, accept: str | None, source_object: S3Uri) -> bytes:
        """Send one mini-batch through all containers; the errors are those of `ModelClient.invoke`."""
        *before, last = self.clients
        for client in before:
            answer = client.answer(body, content_type=content_type, accept=None, source_object=source_object)
            body, content_type = answer.body, answer.content_type
        return last.invoke(body, content_type=content_type, accept=accept, source_object=source_object)
