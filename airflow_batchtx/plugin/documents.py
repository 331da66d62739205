"""What lies in S3 and CloudWatch of one job: which output answers which input, and the last lines of its logs."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from threading import Lock
from typing import Generic, TypeVar

from airflow_batchtx.control.datalog import cleaned, parse
from airflow_batchtx.control.ledger import INTENT, RECORD, Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import FailedObject, ObjectNotFound
from airflow_batchtx.spec.card import JobCard
from airflow_batchtx.spec.uri import S3Uri

__all__ = ["Documents", "Logged", "Mapped", "NotInTime", "TooLarge"]

T = TypeVar("T")

PAGE = 50  # objects
LINES = 100
FAILURES = 20
# Bytes of a record that is read: about forty thousand objects. The whole of it is in memory meanwhile.
LARGEST = 16_000_000
# Documents that are kept, and for how many seconds: while somebody turns pages.
KEPT, KEPT_FOR = 4, 60.0
# Logs: a job of many instances has hundreds of streams, and CloudWatch answers few calls a second.
LOGS_KEPT, LOGS_KEPT_FOR = 32, 8.0
# Documents and logs that are read at once, and seconds after which nobody waits for one any more.
TOGETHER, PATIENCE = 4, 20.0
# Lines of the data log that failures are looked for in.
_DATA_LINES = 1_000


@dataclass(frozen=True, slots=True)
class Pair:
    """An input object and its output; `written` is None before the end of the job."""

    input: str
    size: int
    output: str
    written: bool | None


@dataclass(frozen=True, slots=True)
class Mapped:
    """Which output answers which input: `proved` by the job's record, or as it was planned before the job was made."""

    proved: bool
    pairs: Sequence[Pair]

    def page(self, number: int) -> Sequence[Pair]:
        """Give one page of them, counted from 0."""
        return self.pairs[number * PAGE : (number + 1) * PAGE]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a job has logged, and the instance and log that it is from."""

    time: datetime
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Logged:
    """The last lines of a job's logs in the order of their times, and the first objects that they say have failed."""

    lines: Sequence[Line]
    failed: Sequence[FailedObject]


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A document that no page shows; `size` in bytes."""

    uri: str
    size: int


class _Kept(Generic[T]):
    """The last few things that were read, for some seconds; for all threads."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._things: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: Hashable) -> T | None:
        with self._lock:
            at, thing = self._things.get(name, (0.0, None))
            return thing if thing is not None and self._clock() - at < self._seconds else None

    def keep(self, name: Hashable, thing: T) -> T:
        with self._lock:
            self._things[name] = (self._clock(), thing)
            self._things.move_to_end(name)
            while len(self._things) > self._most:
                self._things.popitem(last=False)
        return thing


class Documents:
    """Reads for pages over what `connect` gives for a job; for all threads.

    Methods raise NotInTime after PATIENCE seconds, and what the services raise.
    """

    def __init__(
        self,
        connect: Callable[[JobCard], Services],
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
        largest: int = LARGEST,
    ) -> None:
        self._connect, self._patience, self._largest = connect, patience, largest
        self._threads = ThreadPoolExecutor(TOGETHER, thread_name_prefix="batchtx-documents")
        self._mappings: _Kept[Mapped] = _Kept(KEPT, KEPT_FOR, clock)
        self._logs: _Kept[Logged] = _Kept(LOGS_KEPT, LOGS_KEPT_FOR, clock)

    def mapped(self, card: JobCard) -> Mapped | TooLarge | None:
        """Give a job's inputs and outputs; None where nothing is on record."""
        return self._in_time(lambda: self._mapped(card))

    def logged(self, card: JobCard) -> Logged:
        """Give the end of a job's logs, as it was a few seconds ago at most."""
        job = (card.aws_conn_id, card.result.job_arn)
        if (known := self._logs.get(job)) is not None:
            return known
        return self._in_time(lambda: self._logs.keep(job, _logged(self._connect(card), card.result.job_name)))

    def close(self) -> None:
        """Let the threads go; what they are at comes to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _in_time(self, work: Callable[[], T]) -> T:
        under_way = self._threads.submit(work)
        try:
            return under_way.result(self._patience)
        except NotInTime:
            under_way.cancel()  # what has not begun need not begin: who asked has gone
            raise

    def _mapped(self, card: JobCard) -> Mapped | TooLarge | None:
        if card.result.control is None:
            return None
        folder = S3Uri.parse(card.result.control)
        name, read = (INTENT, _planned) if card.result.record is None else (RECORD, _proved)
        # Who may not read it by one connection does not get what another one has read.
        document = (card.aws_conn_id, folder / name)
        if (known := self._mappings.get(document)) is not None:
            return known
        store = self._connect(card).store
        try:
            size = store.stat(folder / name).size
        except ObjectNotFound:
            return None
        if size > self._largest:
            return TooLarge(str(folder / name), size)
        found = read(Ledger.of(store, folder), card.result.job_name)
        return None if found is None else self._mappings.keep(document, found)


def _proved(ledger: Ledger, job_name: str) -> Mapped | None:
    if (record := ledger.record(job_name)) is None:
        return None
    return Mapped(True, [Pair(one.input, one.size, one.output, one.state is not None) for one in record.objects])


def _planned(ledger: Ledger, job_name: str) -> Mapped | None:
    if (written := ledger.intent(job_name)) is None:
        return None
    done = {True: True, False: None}
    return Mapped(
        False, [Pair(one.uri, one.size, one.target, done[one.done is not None]) for one in written.intent.objects]
    )


def _logged(services: Services, job_name: str) -> Logged:
    data = services.logs.data_log(job_name, limit=_DATA_LINES)
    printed = services.logs.container_log(job_name, limit=LINES)
    last = sorted([*data, *printed], key=attrgetter("time"))[-LINES:]
    return Logged(
        lines=[Line(one.time, one.stream.partition("/")[2], cleaned(one.text)) for one in last],
        failed=parse(one.text for one in data).failed[:FAILURES],
    )
