"""Filters and joins of application/json and application/jsonlines: a record is a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from airflow_batchtx.records import jsonmembers, jsontext, lines
from airflow_batchtx.records.formats import ANSWER, INPUT, Stamp, matched
from airflow_batchtx.records.jsonpath import JsonPath
from airflow_batchtx.records.jsontext import Json

# Developer guide, batch-transform-data-processing.
JOINED_OUTPUT = "SageMakerOutput"
JOINED_INPUT = "SageMakerInput"
# Developer guide, model-monitor-data-capture-batch.
INFERENCE_ID = "SageMakerInferenceId"
INFERENCE_TIME = "SageMakerInferenceTime"
_MISSING: Json = object()


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """What the two have in common: all but how documents stand in a payload, which `documents` knows.

    `paired` is the short way of a join that keeps everything, None where there is none for these.
    """

    documents: Callable[[bytes, str], Iterable[Json]]
    paired: Callable[[bytes, bytes, str], bytes | None]
    without_blank: Callable[[bytes], bytes]

    def filtered(self, payload: bytes, path: JsonPath, origin: str) -> bytes:
        """Keep of each document what the filter names, and encode it anew."""
        found = [jsontext.text(path.taken(document)) for document in self.documents(payload, origin)]
        return lines.like(found, payload)

    def stamped(self, payload: bytes, stamp: Stamp) -> bytes:
        """Put an id of its own and the time into each document."""
        found = [jsontext.text(_stamped(document, stamp)) for document in self.documents(payload, ANSWER)]
        return lines.like(found, payload)

    def joined(self, payload: bytes, answer: bytes, path: JsonPath) -> bytes:
        """Put each document of the answer into its document of the payload, and keep what the filter names."""
        if path.is_root and (whole := self.paired(payload, answer, JOINED_OUTPUT)) is not None:
            return whole
        found, sent, answered = list[bytes](), 0, 0
        documents = self.documents(payload, INPUT), self.documents(answer, ANSWER)
        for asked, told in zip_longest(*documents, fillvalue=_MISSING):
            sent += asked is not _MISSING
            answered += told is not _MISSING
            if sent == answered:
                found.append(jsontext.text(path.taken(_joined(asked, told))))
        matched(sent, answered)
        return b"\n".join(found)


def _joined(asked: Json, told: Json) -> Json:
    record = asked if isinstance(asked, dict) else {JOINED_INPUT: asked}
    record[JOINED_OUTPUT] = told
    return record


def _stamped(document: Json, stamp: Stamp) -> Json:
    # Where the members of a value that is no object go is not known: it is wrapped as a join wraps it.
    record = document if isinstance(document, dict) else {JOINED_OUTPUT: document}
    return record | {INFERENCE_ID: stamp.new_id(), INFERENCE_TIME: stamp.time}


def _line_by_line(payload: bytes, origin: str) -> Iterator[Json]:
    for line in jsontext.text_of(lines.with_newlines(payload), origin).split("\n"):
        if line:
            yield jsontext.value(line, origin)


def _one_after_another(payload: bytes, origin: str) -> list[Json]:
    return jsontext.values(jsontext.text_of(payload, origin), origin)


JSON_LINES = JsonFormat(_line_by_line, jsonmembers.joined, lines.without_blank)
# A document may have blank lines within. Under SplitType Line a payload is a run of documents, as JSON Lines is, but
# an answer may spread one of them over many lines.
JSON = JsonFormat(_one_after_another, lambda *_: None, bytes)
