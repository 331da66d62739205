"""Messages of a queue as events of a triggerer: deleted once Airflow has what they told, not before."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from airflow_batchtx.errors import BatchTransformError
from airflow_batchtx.sagemaker.queues import Message, Queue

log = logging.getLogger(__name__)

T = TypeVar("T")
Event = Mapping[str, Any]
Read = Callable[[str], Sequence[Event]]

# Seconds that SQS holds a call while the queue is empty. A triggerer that ends waits for as long.
WAIT = 10
# Seconds until the next call after one that failed; each time twice as many.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# A delete is not to wait for a call that waits for messages.
_THREADS = 2
_SHOWN = 200  # characters of a message that nobody understands


@dataclass(slots=True)
class Batch:
    """What several messages told: events by their ids, and the receipts of the messages."""

    events: dict[str, Event] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)

    def add(self, other: Batch) -> None:
        """Take in what others told."""
        self.events.update(other.events)
        self.receipts += other.receipts


class QueueStream(SharedStreamProducer):
    """Receives messages and tells what they say, in batches; deletes them once that is in Airflow's database.

    `read` makes events of a message, each with an `id`; ValueError where the message is none of its kind. Such a
    message is logged and left: it comes again, and goes to the queue's dead-letter queue in the end. After the first
    message of a batch others are waited for, for `linger` seconds or until there are `most`. A queue that fails or is
    not there is asked again, ever more slowly, for as long as it takes.
    """

    def __init__(self, connect: Callable[[], Queue], read: Read, *, linger: float, most: int) -> None:
        self._connect, self._read = connect, read
        self._linger, self._most = linger, most
        self._queue: Queue | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="batchtx-queue")

    async def open_stream(self) -> AsyncIterator[tuple[list[Event], list[str]]]:
        """Yield the events of a batch, and its receipts; for ever."""
        pause = FIRST_PAUSE
        while True:
            try:
                batch = await self._gathered()
            except Exception as miss:  # noqa: BLE001 - whatever it is, a watch that ends would watch nothing
                log.warning("%s; looking into the queue again in %d s", miss, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if batch.receipts:
                yield list(batch.events.values()), batch.receipts

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Delete the messages of batches that every watcher has taken and Airflow has stored; others come again."""
        receipts = [receipt for item in batch if item.outcome.is_clean for receipt in item.broker_payload]
        if not receipts:
            return
        try:
            failed = await self._call(lambda queue: queue.delete(receipts))
        except BatchTransformError as miss:
            log.warning("%s; %d messages that are done with will come again", miss, len(receipts))
            return
        if failed:
            log.warning("%d messages that are done with could not be deleted, and will come again", failed)

    async def aclose(self) -> None:
        """Let go of the client; messages of a call under way come again."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _gathered(self) -> Batch:
        """Wait for a message, and then a while for more."""
        batch = await self._received(WAIT)
        if not batch.receipts:
            return batch
        loop = asyncio.get_running_loop()
        until = loop.time() + self._linger
        while len(batch.receipts) < self._most and (left := until - loop.time()) > 0:
            wait = min(math.ceil(left), WAIT)
            try:
                batch.add(await self._received(wait))
            except BatchTransformError:
                break  # the next call will say the same
        return batch

    async def _received(self, wait: int) -> Batch:
        """Receive messages, and read them there: whatever they hold, it keeps no other trigger waiting."""
        return await self._call(lambda queue: self._understood(queue.receive(wait)))

    def _understood(self, messages: Sequence[Message]) -> Batch:
        batch = Batch()
        for message in messages:
            try:
                events = self._read(message.body)
            except Exception as error:  # noqa: BLE001 - one message must not keep the others back
                log.warning(
                    "Message %s, received %d times, %s. It is left for the dead-letter queue: %.*s",
                    message.id, message.received, error, _SHOWN, message.body,
                )  # fmt: skip
                continue
            if not events:
                log.info("Message %s tells of nothing to do: %.*s", message.id, _SHOWN, message.body)
            batch.events.update((event["id"], event) for event in events)
            batch.receipts.append(message.receipt)
        return batch

    async def _call(self, call: Callable[[Queue], T]) -> T:
        def made() -> T:
            if self._queue is None:
                self._queue = self._connect()
            return call(self._queue)

        return await asyncio.get_running_loop().run_in_executor(self._threads, made)
