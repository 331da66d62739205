from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx import TransformJob
from airflow_batchtx.control.doubts import doubts, strange_filters
from airflow_batchtx.planning import preflight
from airflow_batchtx.spec.members import BY_NAME

LABELS = {"InputFilter": BY_NAME["input_filter"].label, "OutputFilter": BY_NAME["output_filter"].label}


def request(**filters: str) -> dict[str, Any]:
    job = TransformJob(model_name="m", input="s3://b/in/", output="s3://b/out/", instance_type="ml.m5.large")
    return job.to_request() | {"DataProcessing": filters}


@pytest.mark.parametrize(
    "path", ["$", "$[1:]", "$[0,2]", "$.SageMakerOutput", "$['id','x']", "$.a[*].b", "{{ params.f }}"]
)
def test_filters_that_are_understood_raise_no_doubt(path: str) -> None:
    assert list(strange_filters(request(InputFilter=path, OutputFilter=path))) == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("$[", "[ is not supported"),
        ("$.", ". is not supported"),
        ("$[a]", "Format [a] is not supported"),
        ("$[0,5:]", "only single range filters of format (eg: [1:5]) are supported. Format [0,5:] is not supported"),
        ("a.b", "a path begins with $"),
    ],
)
@pytest.mark.parametrize("name", ["InputFilter", "OutputFilter"])
def test_a_filter_that_may_fail_the_job_is_a_doubt(name: str, path: str, why: str) -> None:
    [problem] = strange_filters(request(**{name: path}))

    assert (problem.field, problem.value) == (LABELS[name], path)
    assert problem.rule.endswith(f"the job may fail when it runs: Invalid JsonPath: {path}: {why}")


def test_what_is_refused_when_the_job_is_created_is_no_doubt_besides() -> None:
    assert list(strange_filters(request(OutputFilter="$.a_b!"))) == []


def test_all_doubts_come_together() -> None:
    asked = request(OutputFilter="$[")
    asked["TransformInput"]["ContentType"] = "text/csv"
    facts = preflight.Facts(request=asked, heads=(b"id,age\n1,2\n",))

    assert {problem.field for problem in doubts(facts)} >= {BY_NAME["content_type"].label, LABELS["OutputFilter"]}
