"""Watching queues of Amazon SQS for what schedules a DAG: objects that arrive, jobs that end.

The amazon provider's trigger deletes messages when it receives them, before Airflow has stored what they said, and
needs aiobotocore, which holds botocore back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Mapping
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome, SharedStreamProducer

from airflow_batchtx.events.arrivals import arrivals
from airflow_batchtx.events.job_ends import job_ends
from airflow_batchtx.sagemaker.queues import Queue
from airflow_batchtx.triggers.queue_stream import Event, QueueStream


class QueueTrigger(BaseEventTrigger):
    """Fires for every batch of messages, for ever: `{"events": [...]}`, each event with an `id` that tells it apart.

    A message is deleted once the event is in Airflow's database: it is told of at least once, and again if a triggerer
    dies just then. So is everything that AWS sends; who starts something that costs goes by the events' ids.
    Messages that are none of this trigger's are logged and left, for the queue's dead-letter queue.

    :param queue: the queue's name, or its URL where it belongs to another account. One queue has one watcher.
    :param linger: seconds to wait for more messages after the first, so that they make one event.
    :param most: about so many messages make an event without waiting any longer.
    """

    def __init__(
        self,
        queue: str,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
        linger: float = 5.0,
        most: int = 200,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is not typed
        self.arguments: dict[str, Any] = {
            "queue": queue,
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": None if botocore_config is None else dict(botocore_config),
            "linger": linger,
            "most": most,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes this trigger of again, in another process."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.arguments

    def shared_stream_key(self) -> Hashable:
        """Name the queue and the way to it: watchers that have both alike take each message together."""
        path, arguments = self.serialize()
        return path, repr(sorted(arguments.items()))

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Give what receives and deletes messages; it connects later, and not on the event loop."""
        return QueueStream(lambda: cls.connect(kwargs), cls.read, linger=kwargs["linger"], most=kwargs["most"])

    @classmethod
    def connect(cls, arguments: Mapping[str, Any]) -> Queue:
        """Reach the queue, as the arguments of a trigger say."""
        from airflow_batchtx.hooks.queues import QueuesHook

        hook = QueuesHook(
            aws_conn_id=arguments["aws_conn_id"],
            region_name=arguments["region_name"],
            verify=arguments["verify"],
            config=arguments["botocore_config"],
        )
        return hook.queue(arguments["queue"])

    @staticmethod
    def read(body: str) -> list[Event]:
        """Make events of a message's body, each with an `id`; ValueError where it is no message of this kind."""
        raise NotImplementedError

    async def filter_shared_stream(self, shared_stream: AsyncIterator[list[Event]]) -> AsyncIterator[TriggerEvent]:
        """Make events of batches; one that tells of nothing to do is done with."""
        async for events in shared_stream:
            if events:
                yield _event(events)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the same where nothing is shared. A message is deleted once its event was taken, though not yet stored."""
        stream = self.create_shared_stream_producer(self.serialize()[1])
        try:
            async for events, receipts in stream.open_stream():
                if events:
                    yield _event(events)
                await stream.advance([AdvanceItem(receipts, AdvanceOutcome(acked=1, failed=0))])
        finally:
            await stream.aclose()


class ArrivalTrigger(QueueTrigger):
    """Fires when objects arrive in S3, for a queue of its notifications, or of EventBridge's events about them.

    An event has the members of `airflow_batchtx.events.arrivals.Arrival.to_dict`: `uri`, `size`, `etag`, ...
    """

    @staticmethod
    def read(body: str) -> list[Event]:
        """Give the arrivals that a message tells of."""
        return [arrival.to_dict() for arrival in arrivals(body)]


class JobEndTrigger(QueueTrigger):
    """Fires when transform jobs end, whoever started them, for a queue of EventBridge's events about jobs.

    An event has the members of `airflow_batchtx.events.job_ends.JobEnd`: `job_name`, `status`, `reason`, `tags`, ...
    """

    @staticmethod
    def read(body: str) -> list[Event]:
        """Give the end of a job that a message tells of."""
        return [end.to_dict() for end in job_ends(body)]


def _event(events: list[Event]) -> TriggerEvent:
    return TriggerEvent({"events": events})  # type: ignore[no-untyped-call]  # Airflow's is not typed
