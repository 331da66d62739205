"""A queue of Amazon SQS, as far as its consumer needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.errors import QueueRefused
from airflow_batchtx.sagemaker.failures import Subject, typed_errors

QUEUE = Subject("queue", QueueRefused, QueueRefused)
# Messages of one call.
MOST = 10
_COUNT = "ApproximateReceiveCount"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was received: `receipt` deletes it, `received` counts how often that happened."""

    id: str
    body: str
    receipt: str
    received: int


class Queue:
    """A queue by its name in the client's own account and Region, or by its URL; safe to share between threads."""

    def __init__(self, client: Any, name: str) -> None:
        self.name = name
        self._client = client
        self._url = name if "://" in name else ""

    def receive(self, wait: int) -> list[Message]:
        """Give up to ten messages, after `wait` seconds at the latest; for a while nobody else will be given them.

        QueueRefused or ServiceUnavailable.
        """
        with typed_errors(self.name, QUEUE):
            found = self._client.receive_message(
                QueueUrl=self._address(),
                MaxNumberOfMessages=MOST,
                WaitTimeSeconds=wait,
                MessageSystemAttributeNames=[_COUNT],
            )
        return [
            Message(
                id=message["MessageId"],
                body=message["Body"],
                receipt=message["ReceiptHandle"],
                received=int(message.get("Attributes", {}).get(_COUNT, 1)),
            )
            for message in found.get("Messages", ())
        ]

    def delete(self, receipts: Sequence[str]) -> int:
        """Delete messages, and give how many of them could not be; QueueRefused or ServiceUnavailable."""
        failed = 0
        for first in range(0, len(receipts), MOST):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt}
                for number, receipt in enumerate(receipts[first : first + MOST])
            ]
            with typed_errors(self.name, QUEUE):
                answer = self._client.delete_message_batch(QueueUrl=self._address(), Entries=entries)
            failed += len(answer.get("Failed", ()))
        return failed

    def _address(self) -> str:
        if not self._url:
            self._url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]
        return self._url
