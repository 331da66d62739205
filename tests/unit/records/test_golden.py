"""Every golden case of tests/golden/data-processing, without an engine: cut, filter, answer, join, assemble."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_batchtx.errors import InvalidJsonPath, RecordError
from airflow_batchtx.records import framing, jsonpath
from airflow_batchtx.records.compression import Gunzipped
from airflow_batchtx.records.formats import Stamp
from airflow_batchtx.records.processing import DataProcessing, Processor
from airflow_batchtx.spec.enums import AssembleWith, BatchStrategy, JoinSource, SplitType
from tests.golden_cases import Case, as_bytes, cases

SOURCES = {"Gzip": Gunzipped, "None": lambda source: source}


def parameters(wanted: str) -> list[Any]:
    endings = ("create_refused_with", "job_fails_with")
    return [
        pytest.param(case, id=case["name"])
        for case in cases()
        if next((ending for ending in endings if ending in case), "expected_out") == wanted
        and "only_over_http" not in case
    ]


def stamp(case: Case) -> Stamp | None:
    ids = iter(case.get("inference_ids", ()))
    return Stamp(lambda: next(ids), case["inference_time"]) if "inference_time" in case else None


def limit(case: Case) -> int | None:
    return case.get("MaxPayloadInMB", 6) * 1024 * 1024 or None


def check_filters(case: Case) -> None:
    for name in ("InputFilter", "OutputFilter"):
        jsonpath.check(case["DataProcessing"][name], case["ContentType"])


class Run:
    """One object's way through a job; `sent` is what a model was asked, `out` the output object."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.sent: list[bytes] = []
        self.out = b""

    def __call__(self) -> None:
        wanted = self.case["DataProcessing"]
        processing = DataProcessing(wanted["InputFilter"], JoinSource(wanted["JoinSource"]), wanted["OutputFilter"])
        processor = Processor(
            processing,
            content_type=self.case["ContentType"],
            accept=self.case["Accept"],
            assemble_with=AssembleWith(self.case["AssembleWith"]),
            stamp=stamp(self.case),
        )
        answers = map(as_bytes, self.case["model_answers"] or ())
        for payload in self.payloads(blank_lines=not processor.reads_records):
            self.sent.append(processor.request(payload))
            self.out += processor.output(payload, next(answers))
        assert next(answers, None) is None

    def payloads(self, *, blank_lines: bool) -> Iterator[bytes]:
        source = SOURCES[self.case.get("CompressionType", "None")](io.BytesIO(as_bytes(self.case["input"])))
        strategy = BatchStrategy(self.case["BatchStrategy"] or "MultiRecord")
        split_type = SplitType(self.case["SplitType"])
        return framing.payloads(source, split_type, strategy, limit(self.case), blank_lines=blank_lines)


@pytest.mark.parametrize("case", parameters("expected_out"))
def test_what_comes_out(case: Case) -> None:
    run = Run(case)

    run()

    assert run.sent == [as_bytes(body) for body in case["to_model"]]
    assert run.out == as_bytes(case["expected_out"])


@pytest.mark.parametrize("case", parameters("job_fails_with"))
def test_what_fails_while_the_job_runs(case: Case) -> None:
    run = Run(case)

    with pytest.raises(RecordError) as caught:
        run()

    assert case["job_fails_with"] in caught.value.detail
    if case["to_model"] is not None:
        assert run.sent == [as_bytes(body) for body in case["to_model"]]


@pytest.mark.parametrize("case", parameters("create_refused_with"))
def test_what_is_refused_at_create(case: Case) -> None:
    with pytest.raises(InvalidJsonPath) as caught:
        check_filters(case)

    assert case["create_refused_with"] in caught.value.detail


@pytest.mark.parametrize("case", [*parameters("expected_out"), *parameters("job_fails_with")])
def test_what_runs_is_not_refused_at_create(case: Case) -> None:
    check_filters(case)
