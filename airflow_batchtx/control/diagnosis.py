"""Why a job failed, out of its logs: the objects, their HTTP statuses, and the words of the model."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import Any, TypeVar

from airflow_batchtx.control.datalog import DataLog, cleaned, parse
from airflow_batchtx.errors import BatchTransformError, FailedObject, JobFailed, LogsUnavailable, ServiceUnavailable
from airflow_batchtx.planning.settings import DEFAULTS
from airflow_batchtx.sagemaker.joblogs import GROUP, JobLogs, LogLine

log = logging.getLogger(__name__)

F = TypeVar("F", bound=JobFailed)

# Seconds. CloudWatch shows lines some seconds after they were written, and jobs end right after they failed.
PATIENCE = 10.0
_FIRST_PAUSE = 1.0

# Bounds of what is read, in lines, and of what is kept: an error travels through queues and databases.
_DATA_LINES, _CONTAINER_LINES = 5_000, 400
_OBJECTS, _WORDS, _SAID_LINES, _EXCERPT, _LINE = 20, 1_000, 15, 40, 300
_TRACEBACK, _TRACEBACK_LINES, _LAST_LINES = "Traceback (most recent call last):", 25, 10

NEVER_STARTED = "The job never started, so it has no logs."
NO_LINES = "The logs of the job have no line that tells more."
NOT_ALLOWED = f"Allow logs:DescribeLogStreams and logs:GetLogEvents on {GROUP} to see there what failed."
TOO_LARGE_STATUS = 413
TOO_LARGE = (
    "HTTP 413: the model's server takes no request of this size. Lower MaxPayloadInMB, which is {payload}, set"
    " BatchStrategy to SingleRecord, or raise the server's own limit."
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the logs of a failed job tell, in bounded size: see JobFailed."""

    objects: tuple[FailedObject, ...] = ()
    excerpt: tuple[str, ...] = ()
    note: str = ""

    def explain(self, failure: F) -> F:
        """Give the same error with what the logs tell."""
        return replace(failure, objects=self.objects, excerpt=self.excerpt, note=self.note)


def diagnose(
    logs: JobLogs,
    described: Mapping[str, Any],
    *,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
    patience: float = PATIENCE,
    inputs: Collection[str] = (),
) -> Diagnosis:
    """Find out why a job that has ended failed; `described` is what DescribeTransformJob says of it.

    Raises nothing: where the logs cannot be read, the note says so, and the job's own failure stands. While the data
    log tells of no failure it is read again for `patience` seconds, on `clock`. `inputs` are the URIs of the job's
    input objects, if they are known; they tell the names of objects from what is said of them.
    """
    if not described.get("TransformStartTime"):
        return Diagnosis(note=NEVER_STARTED)
    try:
        return _Search(logs, described, inputs, sleep, clock, clock() + patience).diagnosis()
    except Exception as error:
        # Whatever is wrong here, it must not take the place of what is wrong with the job.
        log.warning("The logs of %s could not be read", described["TransformJobName"], exc_info=True)
        return Diagnosis(note=f"The job's logs could not be read: {type(error).__name__}.")


@dataclass(frozen=True, slots=True)
class _Search:
    logs: JobLogs
    described: Mapping[str, Any]
    inputs: Collection[str]
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    deadline: float

    def diagnosis(self) -> Diagnosis:
        said, printed, trouble = parse(()), list[str](), None
        try:
            said, instances = self._said()
            if _asks_for_more(said.failed):
                printed = self._printed(said.failed, instances)
        except (LogsUnavailable, ServiceUnavailable) as error:
            trouble = error
        excerpt = [line[:_LINE] for line in (*said.others[:_SAID_LINES], *printed)][:_EXCERPT]
        notes = list(self._notes(said, trouble))
        if not (said.failed or excerpt or notes):
            notes.append(NO_LINES)
        return Diagnosis(_kept(said.failed), tuple(excerpt), " ".join(notes))

    def _said(self) -> tuple[DataLog, set[str]]:
        """Read the data log until it tells of a failure, or time is up; and the instances that have more to say."""
        pause = _FIRST_PAUSE
        while True:
            late = self.clock() + pause > self.deadline
            try:
                lines = self.logs.data_log(self.described["TransformJobName"], limit=_DATA_LINES)
            except ServiceUnavailable:
                if late:
                    raise
            else:
                said = parse(_texts(lines), self.inputs)
                if said.failed or said.others or late:
                    # While all is well an instance says one line: its settings.
                    counted = Counter(line.instance for line in lines)
                    return said, {instance for instance, count in counted.items() if count > 1}
            self.sleep(pause)
            pause *= 2

    def _printed(self, failed: Sequence[FailedObject], instances: Collection[str]) -> list[str]:
        """Give each container's first traceback that no object's words have; else, if it may help, its last lines."""
        lines = self.logs.container_log(self.described["TransformJobName"], limit=_CONTAINER_LINES, instances=instances)
        told = {line.strip() for one in failed for line in one.words.splitlines()}
        unanswered = not failed or any(one.status is None for one in failed)
        blocks: dict[tuple[str, ...], None] = {}
        for _, group in groupby(lines, key=attrgetter("stream")):
            texts = list(map(cleaned, _texts(group)))
            block = _traceback(texts) or (texts[-_LAST_LINES:] if unanswered else [])
            if not {line.strip() for line in block} <= told:
                blocks[tuple(block)] = None
        return [line for block in blocks for line in block]

    def _notes(self, said: DataLog, trouble: BatchTransformError | None) -> Iterator[str]:
        if len(said.failed) > _OBJECTS:
            yield f"At least {len(said.failed)} objects failed; {_OBJECTS} are named here."
        if any(one.status == TOO_LARGE_STATUS for one in said.failed):
            effective = {"MaxPayloadInMB": DEFAULTS.max_payload_in_mb, **self.described, **said.settings}
            yield TOO_LARGE.format(payload=effective["MaxPayloadInMB"])
        if trouble is not None:
            yield f"{trouble}."
        if isinstance(trouble, LogsUnavailable):
            yield NOT_ALLOWED


def _asks_for_more(failed: Sequence[FailedObject]) -> bool:
    """Tell whether what the containers have printed may tell more than what the model has answered."""
    return not failed or any(one.status is None or one.status >= 500 or not one.words for one in failed)


def _texts(lines: Iterable[LogLine]) -> Iterator[str]:
    return (text for line in lines for text in line.text.split("\n"))


def _traceback(texts: Sequence[str]) -> list[str]:
    """Give the first traceback of Python, up to its error; what a logger puts before each line is as wide in all."""
    for start, text in enumerate(texts):
        if (width := text.find(_TRACEBACK)) >= 0:
            following = enumerate(texts[start + 1 :], start + 2)
            end = next((end for end, line in following if _begins(line[width:])), len(texts))
            block = [line[width:] for line in texts[start:end]]
            return block if len(block) <= _TRACEBACK_LINES else [*block[:2], "  ...", *block[3 - _TRACEBACK_LINES :]]
    return []


def _begins(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace()


def _kept(failed: Sequence[FailedObject]) -> tuple[FailedObject, ...]:
    """Give the first objects, those before all others that failed in a way of their own."""
    ways = {(one.status, one.words): one for one in reversed(failed)}
    first = [one for one in failed if ways[one.status, one.words] is one]
    again = [one for one in failed if ways[one.status, one.words] is not one]
    return tuple(replace(one, words=_short(one.words)) for one in islice(chain(first, again), _OBJECTS))


def _short(words: str) -> str:
    half = _WORDS // 2
    return words if len(words) <= _WORDS else f"{words[:half]}\n...\n{words[-half:]}"
