from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.association.request import OPTIONS, SAID_OF_JOB, WAYS, AssociateRequest, check
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
    ways = {name for way in WAYS for name in way} | set(SAID_OF_JOB)

    # Which folder of `table_per` a table is of, nobody says: they are found.
    assert OPTIONS.keys() == (AssociateRequest.__dataclass_fields__.keys() | ways) - {"folder"}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("churn", {"churn": None}),
        (["a", "b"], {"a": None, "b": None}),
        ({"a": "double", "b": None}, {"a": "double", "b": None}),
        ({"a": "json", "b": "bool", "c": "decimal128(9, 2)"}, {"a": "json", "b": "bool", "c": "decimal128(9, 2)"}),
        ("None", None),
    ],
)
def test_predictions_are_names_or_types(given: object, read: object) -> None:
    assert AssociateRequest.read(GOOD | {"predictions": given}).predictions == read


def test_everything_wrong_is_told_at_once() -> None:
    bad: dict[str, Any] = {
        "result": "x", "job_name": 1, "input": "in/", "answers": "out/", "output": "y", "format": "xls",
        "predictions": {"a": "float128"}, "answer": "$[0]", "input_columns": ["a", "a"], "key": 1,
        "content_type": 1, "split_type": "Lines", "accept": 1, "partition_by": ["a", "a"], "error_member": 1,
        "on_missing": "x", "max_dead": -1, "processes": 0, "share": "9/8", "table_per": ["a/b"],
    }  # fmt: skip

    assert wrong(**bad) == set(OPTIONS) == set(bad)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("document", "document"), ("array", "array"), ("predictions", "$.predictions"), ("$.a.b", "$.a.b"),
        ("a.b", "$.a.b"), ("$['a'].b", "$.a.b"), (None, None),
    ],
)  # fmt: skip
def test_an_answer_is_a_document_or_lies_in_a_list(given: object, read: object) -> None:
    assert AssociateRequest.read(GOOD | {"answer": given}).answer == read


@pytest.mark.parametrize("given", ["$", "$[0]", "$.*", "a[0]", "$['a','b']", "a..b", 7, ["a"]])
def test_an_answer_that_is_no_path_of_names_is_refused(given: object) -> None:
    assert wrong(answer=given) == {"answer"}


BETWEEN = {"output": "s3://b/scored", "input": "s3://b/in/", "answers": "s3://b/out"}


def test_two_prefixes_stand_in_for_a_job() -> None:
    request = AssociateRequest.read(BETWEEN | {"accept": "application/json", "split_type": "Line"})

    assert (request.result.input, request.result.output) == ("s3://b/in/", "s3://b/out/")
    assert (request.result.accept, request.result.split_type, request.result.created) == (
        "application/json",
        "Line",
        "",
    )


def test_none_is_a_split_type() -> None:
    assert AssociateRequest.read(GOOD | {"split_type": "None"}).result.split_type == "None"
    assert AssociateRequest.read(GOOD | {"split_type": None}).result.split_type is None


def test_what_the_task_says_of_the_job_counts() -> None:
    request = AssociateRequest.read(GOOD | {"accept": "application/json", "content_type": "image/png"})

    assert (request.result.accept, request.result.content_type) == ("application/json", "image/png")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"result": None},
        {"result": RESULT, "job_name": "j"},
        {"result": RESULT, "input": "s3://b/in/", "answers": "s3://b/out/"},
        {"input": "s3://b/in/"},
        {"answers": "{{ params.answers }}"},
        {"job_name": "{{ params.job }}", "result": RESULT},
    ],
    ids=str,
)
def test_answers_are_named_in_one_way(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="Give "):
        check({"output": "s3://b/scored"} | values)


@pytest.mark.parametrize(
    "values", [{"job_name": "j"}, {"job_name": "{{ params.job }}"}, {"result": "{{ x }}"}], ids=str
)
def test_what_is_not_known_yet_is_left_open(values: dict[str, Any]) -> None:
    assert "output" in check({"output": "s3://b/scored"} | values)


def test_a_name_alone_is_not_enough_to_read_by() -> None:
    with pytest.raises(InvalidInput, match="job_name"):
        AssociateRequest.read({"output": "s3://b/scored", "job_name": "j"})


def test_a_table_around_the_answers_is_refused() -> None:
    with pytest.raises(InvalidInput, match="would write the table"):
        check(BETWEEN | {"output": "s3://b/"})


@pytest.mark.parametrize(
    "values",
    [
        {"result": {"job_name": "j"}},
        {"result": RESULT | {"status": "Stopped"}},
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
