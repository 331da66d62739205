"""What stands between an object's payloads and the model, and between its answers and the output object.

Order of things, by the developer guide (batch-transform-data-processing): input filter, model, join with the
*unfiltered* record, output filter, inference ids, assembly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.records import csvformat, jsonpath
from airflow_batchtx.records.assembly import ASSEMBLERS, as_it_is
from airflow_batchtx.records.formats import ANSWER, INPUT, Format, Stamp
from airflow_batchtx.records.jsonformat import JSON, JSON_LINES
from airflow_batchtx.spec.enums import AssembleWith, JoinSource
from airflow_batchtx.spec.media import media_type

FORMATS: Mapping[str, Format] = {
    "text/csv": csvformat,
    "application/json": JSON,
    "application/jsonlines": JSON_LINES,
}


@dataclass(frozen=True, slots=True)
class DataProcessing:
    """The request's member of this name, AWS's defaults filled in."""

    input_filter: str = jsonpath.ROOT
    join_source: JoinSource = JoinSource.NONE
    output_filter: str = jsonpath.ROOT


class Processor:
    """Turns payloads into requests, and answers into output, for one job.

    Where no filter, no join and no stamp asks for it nothing is parsed, so images and any other bytes pass. A missing
    `accept` means that the model answers in `content_type`. Media types are compared without parameters and without
    case. `stamp` is for jobs with GenerateInferenceId.

    Raises InvalidJsonPath for a filter outside the subset, MalformedRecord for a type that cannot be filtered, joined
    or stamped.
    """

    def __init__(
        self,
        processing: DataProcessing,
        *,
        content_type: str | None = None,
        accept: str | None = None,
        assemble_with: AssembleWith = AssembleWith.NONE,
        stamp: Stamp | None = None,
    ) -> None:
        input_path, output_path = jsonpath.parsed(processing.input_filter), jsonpath.parsed(processing.output_filter)
        joins = JoinSource(processing.join_source) is JoinSource.INPUT
        self.reads_records = joins or stamp is not None or not (input_path.is_root and output_path.is_root)
        self._request: Callable[[bytes], bytes] = as_it_is
        self._result: Callable[[bytes, bytes], bytes] = _answer
        self._assembled = ASSEMBLERS[AssembleWith(assemble_with)]
        if not input_path.is_root:
            self._request = partial(_format(content_type).filtered, path=input_path, origin=INPUT)
        elif joins:
            self._request = _format(content_type).without_blank
        if joins:
            self._result = partial(_format(content_type).joined, path=output_path)
        elif not output_path.is_root:
            self._result = _filtered_answer(_format(accept or content_type), output_path)
        if stamp is not None:
            self._result = _stamped_result(_format(accept or content_type), self._result, stamp)

    def request(self, payload: bytes) -> bytes:
        """Give what the model is sent for a payload."""
        return self._request(payload)

    def output(self, payload: bytes, answer: bytes) -> bytes:
        """Give what the output object gets for a payload and its answer; CountMismatch where a join is not whole."""
        return self._assembled(self._result(payload, answer))


def _format(content_type: str | None) -> Format:
    if (found := FORMATS.get(media_type(content_type))) is None:
        raise MalformedRecord(
            f"Filters, joins and inference ids work on {', '.join(FORMATS)}, not on {content_type or 'no type'!r}"
        )
    return found


def _answer(_payload: bytes, answer: bytes) -> bytes:
    return answer


def _filtered_answer(of: Format, path: jsonpath.JsonPath) -> Callable[[bytes, bytes], bytes]:
    return lambda _payload, answer: of.filtered(answer, path, ANSWER)


def _stamped_result(
    of: Format, result: Callable[[bytes, bytes], bytes], stamp: Stamp
) -> Callable[[bytes, bytes], bytes]:
    return lambda payload, answer: of.stamped(result(payload, answer), stamp)
