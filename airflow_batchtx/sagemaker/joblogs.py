"""What a transform job leaves in CloudWatch's logs: what its containers print, and what SageMaker says of its data."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from heapq import merge
from itertools import islice, takewhile
from operator import attrgetter
from typing import Any, Protocol

from airflow_batchtx.errors import LogsNotFound, LogsUnavailable, ServiceUnavailable
from airflow_batchtx.sagemaker.failures import LOGS, typed_errors

GROUP = "/aws/sagemaker/TransformJobs"
DATA_LOG = "data-log"

# API reference, DescribeLogStreams and GetLogEvents: the most that `limit` takes.
STREAM_PAGE, MAX_EVENTS = 50, 10_000
# A job has 100 instances at most, each with two streams, or with one more than its pipeline has containers.
_STREAM_PAGES = 10
# API reference, GetLogEvents: "Partially full or empty pages don't necessarily mean that pagination is finished".
_EMPTY_PAGES = 5
# Streams that are read in one go, so that a job of many instances does not use up the account's rate of calls. No
# instance's data log is passed over: the only failure may be there.
_STREAMS, _DATA_LOGS = 30, 100
# Lines that a tail asks a stream for at once.
_TAIL_PAGE = 500
# Characters after which a data log is read no further: a line may have a quarter of a million.
_CHARACTERS = 4_000_000

Answer = Mapping[str, Any]


class LogsClient(Protocol):
    """The two calls of boto3's client of CloudWatch Logs that are made here."""

    def describe_log_streams(self, **request: Any) -> Answer:
        """Call DescribeLogStreams."""
        ...

    def get_log_events(self, **request: Any) -> Answer:
        """Call GetLogEvents."""
        ...


@dataclass(frozen=True, slots=True)
class LogLine:
    """An event of a job's logs, mostly one line; `time` is in UTC.

    `stream` is `<job>/<instance>`, or that with `/data-log` or `/<container>` behind it.
    """

    stream: str
    time: datetime
    text: str

    @property
    def instance(self) -> str:
        """The instance that it comes from: `<instance id>-<epoch seconds>`."""
        return instance_of(self.stream)


def instance_of(stream: str) -> str:
    """Give the part of a stream's name that names the instance."""
    return stream.split("/")[1]


class JobLogs:
    """Reads the logs of jobs; safe to share between threads, as its client is.

    Where there is no log group or stream, or not yet, there are no lines. All methods raise LogsUnavailable where
    reading is not allowed and ServiceUnavailable where it may do later. The number of calls is bounded.
    """

    def __init__(self, client: LogsClient) -> None:
        self._client = client

    def streams(self, job_name: str) -> list[str]:
        """Name a job's streams, in the order of their names."""
        try:
            pages = islice(self._stream_pages(job_name), _STREAM_PAGES)
            return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except LogsNotFound:
            return []

    def data_log(self, job_name: str, *, limit: int) -> list[LogLine]:
        """Give what SageMaker says of a job's data: the first lines of each instance, `limit` in all.

        There are fewer where lines are very long.
        """
        streams = [stream for stream in self.streams(job_name) if _is_data_log(stream)]
        lines: list[LogLine] = []
        for stream, left in _counted_down(streams[:_DATA_LOGS]):
            # What one instance does not need of its share is the others'.
            lines += self._first(job_name, stream, (limit - len(lines)) // left)
            if _characters(lines) > _CHARACTERS:
                break
        return lines

    def container_log(self, job_name: str, *, limit: int, instances: Collection[str] = ()) -> list[LogLine]:
        """Give the last lines that each container has printed, `limit` in all.

        Only those of `instances`, where any of these has printed something.
        """
        printed = [stream for stream in self.streams(job_name) if not _is_data_log(stream)]
        wanted = [stream for stream in printed if instance_of(stream) in instances]
        lines: list[LogLine] = []
        for stream, left in _counted_down((wanted or printed)[:_STREAMS]):
            lines += self._last(job_name, stream, (limit - len(lines)) // left)
        return lines

    def tail(self, job_name: str) -> Tail:
        """Follow a job's logs, from their first lines on."""
        return Tail(self, job_name)

    def events(self, job_name: str, stream: str, **request: Any) -> Answer:
        """Call GetLogEvents; LogsNotFound where there is no such stream."""
        with typed_errors(job_name, LOGS):
            return self._client.get_log_events(logGroupName=GROUP, logStreamName=stream, **request)

    def _stream_pages(self, job_name: str) -> Iterator[Answer]:
        request: dict[str, Any] = {
            "logGroupName": GROUP,
            "logStreamNamePrefix": f"{job_name}/",
            "limit": STREAM_PAGE,
        }
        while True:
            with typed_errors(job_name, LOGS):
                page = self._client.describe_log_streams(**request)
            yield page
            if "nextToken" not in page:
                return
            request["nextToken"] = page["nextToken"]

    def _first(self, job_name: str, stream: str, limit: int) -> list[LogLine]:
        cursor, lines = Cursor(job_name, stream), list[LogLine]()
        while len(lines) < limit and _characters(lines) < _CHARACTERS:
            if not (found := cursor.read(self, limit - len(lines))):
                break
            lines += found
        return lines

    def _last(self, job_name: str, stream: str, limit: int) -> list[LogLine]:
        if limit < 1:
            return []
        try:
            return _lines(stream, self.events(job_name, stream, limit=min(limit, MAX_EVENTS), startFromHead=False))
        except LogsNotFound:
            return []


def _is_data_log(stream: str) -> bool:
    return stream.endswith(f"/{DATA_LOG}")


def _counted_down(streams: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Give each stream with the number of those that are left."""
    return zip(streams, range(len(streams), 0, -1), strict=True)


def _characters(lines: Sequence[LogLine]) -> int:
    return sum(len(line.text) for line in lines)


def _lines(stream: str, page: Answer) -> list[LogLine]:
    return [
        LogLine(stream, datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc), event["message"])
        for event in page["events"]
    ]


# ------------------------------------------------------------------------------------------------------ following


@dataclass(slots=True)
class Cursor:
    """How far one stream has been read."""

    job_name: str
    stream: str
    token: str | None = None

    def read(self, logs: JobLogs, limit: int) -> list[LogLine]:
        """Read on, `limit` lines at most; nothing at the end of the stream, as it is now."""
        for _ in range(_EMPTY_PAGES):
            request: dict[str, Any] = {"limit": min(limit, MAX_EVENTS), "startFromHead": True}
            if self.token is not None:
                request["nextToken"] = self.token
            try:
                page = logs.events(self.job_name, self.stream, **request)
            except LogsNotFound:
                return []
            # API reference: "If you have reached the end of the stream, it returns the same token you passed in."
            ended, self.token = page["nextForwardToken"] == self.token, page["nextForwardToken"]
            if ended or page["events"]:
                return _lines(self.stream, page)
        return []


@dataclass(slots=True)
class _Followed:
    """A stream, with what was read of it and not told yet; `more` tells whether there was more to read."""

    cursor: Cursor
    lines: deque[LogLine] = field(default_factory=deque)
    more: bool = False

    def read_on(self, logs: JobLogs) -> None:
        if not self.lines:
            self.lines.extend(self.cursor.read(logs, _TAIL_PAGE))
            self.more = len(self.lines) >= _TAIL_PAGE


class Tail:
    """The logs of a job while they grow. It is for one thread at a time."""

    def __init__(self, logs: JobLogs, job_name: str) -> None:
        self._logs, self._job_name = logs, job_name
        self._followed: dict[str, _Followed] = {}
        self._turn: deque[str] = deque()
        self._denied = False

    def lines(self, limit: int = 1_000) -> list[LogLine]:
        """Give what is new since the last call, `limit` lines at most, in the order of their times.

        Each line is given once. Nothing comes where nothing is new or AWS cannot be asked just now, and again from the
        next call on. LogsUnavailable where reading is not allowed: once, and then there is nothing new any more.
        """
        if not self._denied:
            try:
                self._read_on()
            except ServiceUnavailable:
                pass  # the next call comes anyway
            except LogsUnavailable:
                self._denied = True
                raise
        return self._told(limit)

    def _read_on(self) -> None:
        for stream in self._logs.streams(self._job_name):
            if stream not in self._followed:
                self._followed[stream] = _Followed(Cursor(self._job_name, stream))
                self._turn.append(stream)
        for _ in range(min(len(self._turn), _STREAMS)):
            self._followed[self._turn[0]].read_on(self._logs)
            self._turn.rotate(-1)

    def _told(self, limit: int) -> list[LogLine]:
        """Take what can be put in order already: no later than the last line of any stream that has more to read."""
        time = attrgetter("time")
        horizon = min((one.lines[-1].time for one in self._followed.values() if one.more and one.lines), default=None)
        merged = merge(*(one.lines for one in self._followed.values()), key=time)
        ripe = takewhile(lambda line: horizon is None or line.time <= horizon, merged)
        told = list(islice(ripe, limit))
        for line in told:
            self._followed[line.stream].lines.popleft()
        return told
