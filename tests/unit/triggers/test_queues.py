"""What a queue says becomes events, and nothing of it is lost: not to other messages, nor to triggerers that die."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome, SharedStreamManager

from airflow_batchtx.errors import BatchTransformError, QueueRefused, ServiceUnavailable
from airflow_batchtx.sagemaker.queues import Message
from airflow_batchtx.triggers.queue_stream import LONGEST_PAUSE, WAIT, QueueStream
from airflow_batchtx.triggers.queues import ArrivalTrigger, JobEndTrigger
from tests.unit.events.test_arrivals import TEST, notified
from tests.unit.events.test_job_ends import event as job_event
from tests.virtual_time import VirtualLoop, run_in_no_time

GONE = QueueRefused("q", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
BUSY = ServiceUnavailable("q", "RequestThrottled", "slow down", "queue")
CLEAN, FAILED = AdvanceOutcome(acked=1, failed=0), AdvanceOutcome(acked=0, failed=1)
numbers = itertools.count()


def message(body: Any) -> Message:
    number = next(numbers)
    text = body if isinstance(body, str) else json.dumps(body)
    return Message(id=f"m{number}", body=text, receipt=f"r{number}", received=1)


def arrived(*keys: str) -> list[Message]:
    return [message(notified(key=key)) for key in keys]


class FakeQueue:
    """Gives one answer to each call: messages, or an error; nothing once all are given."""

    def __init__(self, *answers: Sequence[Message] | BatchTransformError) -> None:
        self.answers = list(answers)
        self.waits: list[int] = []
        self.times: list[float] = []
        self.deleted: list[str] = []
        self.broken: BatchTransformError | None = None

    def receive(self, wait: int) -> list[Message]:
        self.waits.append(wait)
        self.times.append(asyncio.get_event_loop().time())
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, BatchTransformError):
            raise answer
        return list(answer)

    def delete(self, receipts: Sequence[str]) -> int:
        if self.broken:
            raise self.broken
        self.deleted += receipts
        return 0


def stream(queue: FakeQueue, *, linger: float = 5, most: int = 200) -> QueueStream:
    return QueueStream(lambda: queue, ArrivalTrigger.read, linger=linger, most=most)  # type: ignore[arg-type, return-value]


def batches(queue: FakeQueue, count: int = 1, **options: Any) -> list[tuple[list[str], list[str]]]:
    """Give the keys and receipts of the first batches; each call to the queue takes a second."""

    async def work(_: VirtualLoop) -> list[tuple[list[str], list[str]]]:
        opened = stream(queue, **options).open_stream()
        found = [await anext(opened) for _ in range(count)]
        await opened.aclose()  # type: ignore[attr-defined]
        return [([event["uri"].rpartition("/")[2] for event in events], receipts) for events, receipts in found]

    return run_in_no_time(work, latency=1)


def receipts(*some: Sequence[Message]) -> list[str]:
    return [one.receipt for messages in some for one in messages]


# --------------------------------------------------------------------------------------------------------- batches


def test_what_comes_soon_after_the_first_message_is_one_event() -> None:
    first, second = arrived("a.csv", "b.csv"), arrived("c.csv")
    queue = FakeQueue([], first, [], second)

    assert batches(queue) == [(["a.csv", "b.csv", "c.csv"], receipts(first, second))]
    # It waits for the first as long as SQS holds a call, then for no more than what is left of five seconds.
    assert queue.waits == [WAIT, WAIT, 5, 4, 3, 2, 1]


def test_a_full_batch_waits_for_nothing() -> None:
    first, second = arrived("a.csv", "b.csv"), arrived("c.csv")

    assert batches(FakeQueue(first, second), 2, most=2) == [
        (["a.csv", "b.csv"], receipts(first)),
        (["c.csv"], receipts(second)),
    ]


def test_one_write_that_is_told_twice_is_one_event_and_both_messages_are_done() -> None:
    twice = arrived("a.csv", "a.csv")

    assert batches(FakeQueue(twice)) == [(["a.csv"], receipts(twice))]


# -------------------------------------------------------------------------------------- messages of another kind


@pytest.mark.parametrize("body", ["no JSON", "{}", job_event(), "[" * 100_000], ids=["text", "empty", "job", "deep"])
def test_what_is_no_arrival_is_told_in_the_log_and_left(body: Any, caplog: pytest.LogCaptureFixture) -> None:
    foreign, good = message(body), arrived("a.csv")

    assert batches(FakeQueue([foreign, *good])) == [(["a.csv"], receipts(good))]
    (line,) = [record.getMessage() for record in caplog.records if foreign.id in record.getMessage()]
    assert foreign.body[:100] in line
    assert len(line) < 500


def test_a_reader_that_breaks_on_a_message_keeps_no_other_back() -> None:
    def read(body: str) -> list[Mapping[str, Any]]:
        return [{"id": body, "of": 1 / int(body)}]

    queue = FakeQueue([message("0"), message("1")])

    async def work(_: VirtualLoop) -> list[Mapping[str, Any]]:
        made = QueueStream(lambda: queue, read, linger=0, most=1)  # type: ignore[arg-type, return-value]
        return (await anext(made.open_stream()))[0]

    assert [event["id"] for event in run_in_no_time(work)] == ["1"]


def test_messages_are_read_where_no_other_trigger_waits_for_it() -> None:
    readers: list[threading.Thread] = []

    class Quick:
        def receive(self, _: int) -> list[Message]:
            return arrived("a.csv")

    def read(body: str) -> list[Mapping[str, Any]]:
        readers.append(threading.current_thread())
        return ArrivalTrigger.read(body)

    async def work() -> None:
        made = QueueStream(Quick, read, linger=0, most=1)  # type: ignore[arg-type]
        await anext(made.open_stream())
        await made.aclose()

    asyncio.run(work())
    assert readers
    assert threading.current_thread() not in readers


def test_messages_that_tell_of_nothing_to_do_are_done_with(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    nothing = [message(TEST)]

    assert batches(FakeQueue(nothing)) == [([], receipts(nothing))]
    assert "s3:TestEvent" in caplog.text


def test_a_batch_of_foreign_messages_alone_is_none() -> None:
    good = arrived("a.csv")

    assert batches(FakeQueue([message("no JSON")], [], good), linger=0) == [(["a.csv"], receipts(good))]


# ------------------------------------------------------------------------------------------- a queue that is not well


@pytest.mark.parametrize("error", [GONE, BUSY], ids=["gone", "busy"])
def test_it_is_asked_again_ever_more_slowly(error: BatchTransformError) -> None:
    queue = FakeQueue(*[error] * 9, arrived("a.csv"), error, error, arrived("b.csv"))

    assert [keys for keys, _ in batches(queue, 2, linger=0)] == [["a.csv"], ["b.csv"]]
    pauses = [round(later - earlier - 1, 3) for earlier, later in itertools.pairwise(queue.times)]
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    # Once it has answered, it is asked quickly again.
    assert pauses[9:] == [0, 1, 2]


def test_a_way_that_cannot_be_made_is_tried_again() -> None:
    ways = iter([RuntimeError("no such connection"), FakeQueue(arrived("a.csv"))])

    def connect() -> Any:
        if isinstance(found := next(ways), Exception):
            raise found
        return found

    async def work(_: VirtualLoop) -> int:
        events, _receipts = await anext(QueueStream(connect, ArrivalTrigger.read, linger=0, most=1).open_stream())
        return len(events)

    assert run_in_no_time(work) == 1


def test_what_was_received_before_a_call_fails_is_told() -> None:
    good = arrived("a.csv")

    assert batches(FakeQueue(good, BUSY)) == [(["a.csv"], receipts(good))]


# -------------------------------------------------------------------------------------------------- deleting messages


def advance(queue: FakeQueue, *items: AdvanceItem) -> None:
    async def work(_: VirtualLoop) -> None:
        await stream(queue).advance(items)

    run_in_no_time(work)


def test_only_what_is_stored_is_deleted() -> None:
    queue = FakeQueue()

    advance(queue, AdvanceItem(["1", "2"], CLEAN), AdvanceItem(["3"], FAILED), AdvanceItem(["4"], AdvanceOutcome(0, 0)))

    assert queue.deleted == ["1", "2"]


def test_a_delete_that_fails_ends_no_watch(caplog: pytest.LogCaptureFixture) -> None:
    queue = FakeQueue()
    queue.broken = BUSY

    advance(queue, AdvanceItem(["1"], CLEAN))

    assert "will come again" in caplog.text


# ------------------------------------------------------------------------------------------------- in Airflow's hands


def handed(queue: FakeQueue) -> ArrivalTrigger:
    """A trigger whose queue is at hand."""

    class Handed(ArrivalTrigger):
        @classmethod
        def connect(cls, arguments: Mapping[str, Any]) -> Any:
            return queue

    return Handed("q", linger=0)


class Watched:
    """A trigger as Airflow's manager of shared streams runs it."""

    def __init__(self, queue: FakeQueue) -> None:
        trigger = handed(queue)
        self.key = trigger.shared_stream_key()
        self.manager = SharedStreamManager()
        raw = self.manager.subscribe(trigger_id=1, trigger=trigger, key=self.key)
        self.events = trigger.filter_shared_stream(raw)

    async def fired(self) -> tuple[TriggerEvent, int]:
        """Give the next event, and the number under which Airflow says that it is stored."""
        event = await anext(self.events)
        seq = self.manager.bind_pending_event(trigger_id=1, key=self.key)
        assert seq is not None
        return event, seq

    async def goes_on(self) -> asyncio.Task[Any]:
        """Wait for the event after this one, as a triggerer does at once."""
        task = asyncio.ensure_future(self.events.__anext__())
        await asyncio.sleep(5)
        return task


def watched(queue: FakeQueue, act: Callable[[Watched], Coroutine[Any, Any, None]]) -> None:
    async def work(_: VirtualLoop) -> None:
        await act(Watched(queue))

    run_in_no_time(work, latency=1)


def test_a_message_is_deleted_once_airflow_has_stored_what_it_said_and_not_before() -> None:
    messages = arrived("a.csv")
    queue = FakeQueue(messages)

    async def act(one: Watched) -> None:
        event, seq = await one.fired()
        await one.goes_on()
        assert [told["uri"] for told in event.payload["events"]] == ["s3://lake/a.csv"]
        assert queue.deleted == []
        one.manager.confirm_persisted([seq])
        await asyncio.sleep(5)
        assert queue.deleted == receipts(messages)

    watched(queue, act)


def test_a_message_whose_event_is_never_stored_stays() -> None:
    queue = FakeQueue(arrived("a.csv"))

    async def act(one: Watched) -> None:
        await one.fired()
        (await one.goes_on()).cancel()
        await one.manager.unsubscribe(1, one.key)
        assert queue.deleted == []

    watched(queue, act)


def test_a_message_that_tells_of_nothing_is_deleted_without_an_event() -> None:
    nothing, something = [message(TEST)], arrived("a.csv")
    queue = FakeQueue(nothing, something)

    async def act(one: Watched) -> None:
        event, _ = await one.fired()
        await one.goes_on()
        assert len(event.payload["events"]) == 1
        assert queue.deleted == receipts(nothing)

    watched(queue, act)


def test_where_nothing_is_shared_a_message_is_deleted_once_its_event_was_taken() -> None:
    messages = arrived("a.csv")
    queue = FakeQueue(messages)

    async def alone(_: VirtualLoop) -> None:
        events = handed(queue).run()
        await anext(events)
        assert queue.deleted == []
        task = asyncio.ensure_future(events.__anext__())
        await asyncio.sleep(5)
        assert queue.deleted == receipts(messages)
        task.cancel()

    run_in_no_time(alone, latency=1)


@pytest.mark.parametrize("kind", [ArrivalTrigger, JobEndTrigger])
def test_serialize_is_plain_json_that_makes_the_same_trigger_again(kind: type[ArrivalTrigger]) -> None:
    full = kind("q", aws_conn_id=None, region_name="eu-west-1", botocore_config={"connect_timeout": 3}, most=7)

    path, arguments = full.serialize()

    assert path == f"airflow_batchtx.triggers.queues.{kind.__name__}"
    again = kind(**json.loads(json.dumps(arguments)))
    assert again.serialize() == full.serialize()
    assert again.shared_stream_key() == full.shared_stream_key() != kind("another").shared_stream_key()


def test_the_ends_of_jobs_are_told_with_all_that_is_known() -> None:
    (told,) = JobEndTrigger.read(json.dumps(job_event()))

    assert (told["job_name"], told["status"], told["tags"]) == ("nightly", "Completed", {"team": "risk"})
    assert json.loads(json.dumps(told)) == told
