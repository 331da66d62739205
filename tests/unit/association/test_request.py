from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.association.request import OPTIONS, AssociateRequest, check
from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.spec.result import TransformResult

RESULT = {
    "job_name": "j",
    "status": "Completed",
    "input": "s3://b/in/shards/",
    "output": "s3://b/out",
    "accept": "text/csv; charset=utf-8",
}
GOOD: dict[str, Any] = {"result": RESULT, "output": "s3://b/scored"}


def wrong(**values: Any) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        check(GOOD | values)
    return {problem.field for problem in caught.value.problems}


def test_what_is_left_out_has_defaults() -> None:
    request = AssociateRequest.read(GOOD)

    assert request.result == TransformResult.read(RESULT)
    assert (str(request.output), request.format, request.predictions) == ("s3://b/scored/", "parquet", None)


def test_every_option_has_a_reader() -> None:
    assert OPTIONS.keys() == AssociateRequest.__dataclass_fields__.keys()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("churn", {"churn": None}),
        (["a", "b"], {"a": None, "b": None}),
        ({"a": "double", "b": None}, {"a": "double", "b": None}),
        ("None", None),
    ],
)
def test_predictions_are_names_or_types(given: object, read: object) -> None:
    assert AssociateRequest.read(GOOD | {"predictions": given}).predictions == read


def test_everything_wrong_is_told_at_once() -> None:
    assert wrong(result="x", output="y", format="xls", predictions={"a": "float128"}) == set(OPTIONS)


@pytest.mark.parametrize(
    "values",
    [
        {"result": {"job_name": "j"}},
        {"result": RESULT | {"status": "Stopped"}},
        {"result": RESULT | {"accept": "application/json"}},
        {"predictions": ["a", "a"]},
        {"predictions": {"": None}},
        {"output": "s3://b/out/"},
        {"output": "s3://b/out/scored/"},
        {"output": "s3://b/in/shards/scored/"},
        {"output": "s3://b/in/"},
        {"output": "s3://b/"},
        {"result": RESULT | {"control": "s3://c/_batchtx/j/"}, "output": "s3://c/"},
        {"result": RESULT | {"control": "s3://c/_batchtx/j/"}, "output": "s3://c/_batchtx/j/scored/"},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(values: dict[str, Any]) -> None:
    assert wrong(**values) == set(values) - ({"result"} if len(values) > 1 else set())


@pytest.mark.parametrize("status", ["Failed", "Stopped", "InProgress"])
def test_of_a_job_that_did_not_complete_the_record_tells_what_is_there(status: str) -> None:
    assert wrong(result=RESULT | {"status": status}) == {"result"}
    assert "result" in check(GOOD | {"result": RESULT | {"status": status, "record": "s3://b/_batchtx/j/record.json"}})


@pytest.mark.parametrize("output", ["s3://b/out2/", "s3://b/in/scored/", "s3://c/out/"])
def test_an_output_beside_the_jobs_is_fine(output: str) -> None:
    assert str(check(GOOD | {"output": output})["output"]) == output
