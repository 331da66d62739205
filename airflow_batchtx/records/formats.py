"""What a format of records can do, and what the formats share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from airflow_batchtx.errors import CountMismatch
from airflow_batchtx.records.jsonpath import JsonPath

# How the data log names the two sides: "Failed to parse input as CSV: ...".
INPUT = "input"
ANSWER = "output from the algorithm"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What GenerateInferenceId adds to every record: an id of its own from `new_id`, and the time of the whole job."""

    new_id: Callable[[], str]
    time: str


class Format(Protocol):
    """Filters and joins of one media type. All raise MalformedRecord and InvalidJsonPath."""

    def without_blank(self, payload: bytes) -> bytes:
        """Give the payload with nothing but its records."""
        ...

    def filtered(self, payload: bytes, path: JsonPath, origin: str) -> bytes:
        """Give what the filter keeps of each record; the last ends in a newline if the payload did."""
        ...

    def stamped(self, payload: bytes, stamp: Stamp) -> bytes:
        """Give the finished records with id and time added; the last ends in a newline if the payload did."""
        ...

    def joined(self, payload: bytes, answer: bytes, path: JsonPath) -> bytes:
        """Give what the filter keeps of each record of the payload joined with its record of the answer.

        Raises CountMismatch unless both have equally many. There is a newline between records, none at the end.
        """
        ...


def matched(sent: int, answered: int) -> None:
    """Raise CountMismatch unless there is one answer to each record."""
    if sent != answered:
        detail = f"The algorithm answered {sent} records of input with {answered} records of output"
        raise CountMismatch(detail, sent, answered)
