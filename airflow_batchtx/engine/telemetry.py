"""Sends what jobs print, use and become to CloudWatch and EventBridge, beside the jobs and never in their way.

One thread delivers. Logs wait in their files, metrics and events in a queue that drops what does not fit. To a service
that was silent all that waits is delivered when it answers again.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from airflow_batchtx.engine.outlet import Outlet, Silence
from airflow_batchtx.engine.registry import Job
from airflow_batchtx.engine.streams import Batch, Streams
from airflow_batchtx.engine.usage import Usage

log = logging.getLogger(__name__)

# Log group and metrics' namespace have the same name.
GROUP = "/aws/sagemaker/TransformJobs"
# How soon a line that a container printed is delivered, and how long a job's end waits for its logs to be, in seconds.
LOOK_SECONDS = 0.5
FLUSH_SECONDS = 3.0
_QUEUED = 10_000
# Of so many jobs that have ended the logs are kept in mind while nobody takes them.
_MOST_ENDED = 1_000

Entry = dict[str, Any]
Clients = Callable[[str, str], Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What goes to one service through the queue: how many a call takes, and the call."""

    service: str
    most: int
    put: Callable[[list[Entry], Any], None]


def _put_metrics(entries: list[Entry], client: Any) -> None:
    client.put_metric_data(Namespace=GROUP, MetricData=entries)


def _put_events(entries: list[Entry], client: Any) -> None:
    answer = client.put_events(Entries=entries)
    if refused := [entry for entry in answer.get("Entries", ()) if entry.get("ErrorCode")]:
        # AWS itself keeps sources that begin with aws. for itself.
        raise ClientError({"Error": {"Code": refused[0]["ErrorCode"], "Message": str(refused[0])}}, "PutEvents")


METRICS = _Kind("cloudwatch", 500, _put_metrics)
EVENTS = _Kind("events", 10, _put_events)


# What, of which Region, goes to a service.
_Told = tuple[_Kind, str, Entry]


@dataclass(eq=False)
class _Followed:
    region: str
    streams: Streams
    ended: bool = False


class Telemetry:
    """Delivers in a thread of its own; `clients(service, region)` makes a boto3 client. All methods return at once,
    but `ends` and `close`, which wait a while for what is left to be delivered.
    """

    def __init__(
        self,
        clients: Clients,
        clock: Callable[[], float],
        *,
        sleep: Callable[[float], None] = time.sleep,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients, self._clock, self._sleep, self._elapsed = clients, clock, sleep, elapsed
        self._outlets: dict[tuple[str, str], Outlet] = {}
        self._silence = Silence(elapsed)
        self._followed: dict[str, _Followed] = {}
        self._queue: queue.Queue[_Told] = queue.Queue(_QUEUED)
        self._left: list[_Told] = []
        self._turn = threading.Condition()
        self._asked = self._done = 0
        self._closed = False
        self._thread = threading.Thread(target=self._deliver, name="telemetry", daemon=True)
        self._thread.start()

    def begins(self, job: Job, logs: Path) -> None:
        """Follow a job's log files."""
        with self._turn:
            ended = [arn for arn, one in self._followed.items() if one.ended]
            for arn in ended[: max(0, len(ended) - _MOST_ENDED)]:
                del self._followed[arn]
            self._followed[job.arn] = _Followed(job.region, Streams(logs, job.name))
        self._wake()

    def used(self, job: Job, instance: str, usage: Usage) -> None:
        """Note what an instance (`<instance id>-<epoch>`) uses."""
        host = f"{job.name}/{instance.rpartition('-')[0]}"
        for name, value in {"CPUUtilization": usage.cpu, "MemoryUtilization": usage.memory}.items():
            entry = {
                "MetricName": name,
                "Dimensions": [{"Name": "Host", "Value": host}],
                "Timestamp": datetime.fromtimestamp(self._clock(), timezone.utc),
                "Value": value,
                "Unit": "Percent",
            }
            self._put(METRICS, job.region, entry)

    def happened(self, region: str, entry: Entry) -> None:
        """Tell an event: an entry of PutEvents."""
        self._put(EVENTS, region, entry)
        self._wake()

    def ends(self, job: Job) -> None:
        """Deliver what is left of a job's logs and metrics, so that they are there when it is told to have ended."""
        with self._turn:
            followed = self._followed.get(job.arn)
        if followed is not None:
            followed.ended = True
            self.flush()

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until all that is known now was delivered or dropped; False if that takes longer than `seconds`."""
        ticket = self._wake()
        with self._turn:
            return self._turn.wait_for(lambda: self._done >= ticket, seconds)

    def close(self) -> None:
        """Deliver what is left, for as long as an ending job would wait, and end."""
        self.flush()
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        self._thread.join(1)

    # ------------------------------------------------------------------------------------------------- the thread

    def _wake(self) -> int:
        with self._turn:
            self._asked += 1
            self._turn.notify_all()
            return self._asked

    def _put(self, kind: _Kind, region: str, entry: Entry) -> None:
        try:
            self._queue.put_nowait((kind, region, entry))
        except queue.Full:
            log.debug("%s: dropped, too many wait already", kind.service)

    def _deliver(self) -> None:
        while (asked := self._awaited()) is not None:
            try:
                self._deliver_logs()
                self._deliver_queue()
            except Exception:
                log.exception("logs, metrics or events were not delivered")
            with self._turn:
                self._done = asked
                self._turn.notify_all()

    def _awaited(self) -> int | None:
        """Wait until there may be something to do; None once closed."""
        with self._turn:
            self._turn.wait_for(lambda: self._closed or self._asked > self._done, self._pause())
            return None if self._closed else self._asked

    def _pause(self) -> float | None:
        return LOOK_SECONDS if self._followed or self._left else None

    def _deliver_logs(self) -> None:
        with self._turn:
            followed = dict(self._followed)
        for arn, one in followed.items():
            outlet, ended = self._outlet("logs", one.region), one.ended
            if outlet.rests:
                continue
            for batch in one.streams.gained(ended=ended):
                if outlet.send(partial(self._put_logs, batch)):
                    one.streams.delivered(batch)
            if ended and not outlet.rests:
                with self._turn:
                    self._followed.pop(arn, None)

    def _put_logs(self, batch: Batch, client: Any) -> None:
        now = round(self._clock() * 1000)
        events = [{"timestamp": now, "message": line} for line in batch.lines]
        stream = {"logGroupName": GROUP, "logStreamName": batch.stream}
        if not events:
            return
        try:
            client.put_log_events(**stream, logEvents=events)
        except client.exceptions.ResourceNotFoundException:
            # The first line of the stream, or somebody has reset the endpoint.
            _ensure(client, client.create_log_group, logGroupName=GROUP)
            _ensure(client, client.create_log_stream, **stream)
            client.put_log_events(**stream, logEvents=events)

    def _deliver_queue(self) -> None:
        waiting = sorted(self._waiting(), key=lambda told: (told[0].service, told[1]))
        left: list[_Told] = []
        for (kind, region), group in groupby(waiting, key=lambda told: told[:2]):
            outlet, entries = self._outlet(kind.service, region), list(group)
            for at in range(0, len(entries), kind.most):
                batch, rested = entries[at : at + kind.most], outlet.rests
                sent = outlet.send(partial(kind.put, [entry for _, _, entry in batch]))
                left += batch if not sent and (rested or outlet.rests) else []
        self._left = left

    def _waiting(self) -> list[_Told]:
        """Take what there is to deliver: what was left last, and what came since, within bounds."""
        left, self._left = self._left, []
        come = min(self._queue.qsize(), _QUEUED - len(left))
        return [*left, *(self._queue.get_nowait() for _ in range(come))]

    def _outlet(self, service: str, region: str) -> Outlet:
        if (service, region) not in self._outlets:
            self._outlets[service, region] = Outlet(
                f"{service} of {region}",
                lambda: self._clients(service, region),
                sleep=self._sleep,
                clock=self._elapsed,
                silence=self._silence,
            )
        return self._outlets[service, region]


def _ensure(client: Any, create: Callable[..., object], **names: str) -> None:
    try:
        create(**names)
    except client.exceptions.ResourceAlreadyExistsException:
        return
