from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from airflow.providers.openlineage.extractors.base import DefaultExtractor
from airflow.sdk import BaseOperator

from airflow_batchtx.lineage.batch_transform import Trace, Traced, dataset_name, lineage
from airflow_batchtx.planning.selection import Found
from airflow_batchtx.planning.work import work_of
from airflow_batchtx.spec.intent import Intent, PinnedObject
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_sagemaker import REQUEST

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:transform-job/churn-1"
CREATED = datetime(2026, 11, 23, tzinfo=timezone.utc)
RESULT = TransformResult.of(
    {
        **REQUEST, "TransformJobName": "churn-1", "TransformJobArn": ARN, "TransformJobStatus": "Completed",
        "CreationTime": CREATED, "TransformStartTime": CREATED, "TransformEndTime": CREATED + timedelta(minutes=30),
    },
    rows=70, objects=2, objects_done=2, cost=0.23, currency="USD", priced="2026-04-21", record="s3://b/c/record.json",
)  # fmt: skip
ONE_CONTAINER = {
    "ModelName": "churn",
    "PrimaryContainer": {"Image": "i", "ModelDataUrl": "s3://models/churn/model.tar.gz", "Environment": {"KEY": "v"}},
}
PIPELINE = {
    "ModelName": "churn",
    "Containers": [
        {"Image": "i", "ModelDataUrl": "https://s3.eu-west-1.amazonaws.com/models/scale/model.tar.gz"},
        {"Image": "i", "ModelDataSource": {"S3DataSource": {"S3Uri": "s3://models/churn/", "S3DataType": "S3Prefix"}}},
        {"Image": "i"},
    ],
}
PACKAGE = {
    "ModelName": "churn",
    "Containers": [{"ModelPackageName": "arn:aws:sagemaker:eu-west-1:123456789012:model-package/churn/4"}],
}


def asking(source: Any, kind: str = "S3Prefix") -> dict[str, Any]:
    return {**REQUEST, "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": source}}}}


def intent(*uris: str, model: Any = ONE_CONTAINER, rows: int | None = 70) -> Intent:
    found = [Found(uri=S3Uri.parse(uri), size=100, etag='"e"') for uri in uris]
    return Intent(
        job_name="churn-1", attempt=1, epoch=0, written="2026-11-23T00:00:00.000+00:00", request=REQUEST,
        identity=Identity(namespace="n", dag_id="d", task_id="t", run_id="r", map_index=-1),
        work=work_of(REQUEST, model, found),
        objects=tuple(
            PinnedObject(
                uri=str(one.uri), size=one.size, etag=one.etag, sha256=None, target=f"s3://b/out/{one.uri.name}.out",
                before=None, done=None,
            )
            for one in found
        ),
        empty=(), left_out=0, prepared=None, rows=rows, model_created=None, output="s3://b/out/",
    )  # fmt: skip


def told(trace: Trace, request: Any = REQUEST) -> dict[str, Any]:
    """What is sent of a piece of work, without who produced it and by which schema."""
    whole: dict[str, Any] = _plain(attrs.asdict(lineage(request, trace)))
    return {"inputs": [], "run_facets": {}} | whole


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: _plain(part) for key, part in value.items() if not key.startswith("_") and part not in ({}, None)
            }
        case list():
            return [_plain(part) for part in value]
        case _:
            return value


def names(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["namespace"], one["name"]) for one in datasets]


COMPLETED = Trace(job_name="churn-1", job_arn=ARN, intent=intent("s3://b/in/1.csv", "s3://b/in/2.csv"), result=RESULT)


def test_everything_that_is_told_of_a_job_that_completed() -> None:
    assert told(COMPLETED) == {
        "inputs": [
            {
                "namespace": "s3://b",
                "name": "in",
                "inputFacets": {"inputStatistics": {"rowCount": 70, "size": 200, "fileCount": 2}},
            },
            {
                "namespace": "s3://models",
                "name": "churn/model.tar.gz",
                "facets": {"datasetType": {"datasetType": "MODEL"}},
            },
        ],
        "outputs": [
            {
                "namespace": "s3://b",
                "name": "out",
                "outputFacets": {"outputStatistics": {"rowCount": 70, "fileCount": 2}},
            }
        ],
        "run_facets": {
            "externalQuery": {"externalQueryId": ARN, "source": "sagemaker"},
            "batchtx_transformJob": {
                "jobName": "churn-1", "status": "Completed", "instanceType": "ml.m5.large", "instanceCount": 2,
                "instanceSeconds": 3600.0, "cost": 0.23, "currency": "USD", "attempts": 1, "reused": False,
                "record": "s3://b/c/record.json",
            },
        },
    }  # fmt: skip


def test_a_job_that_failed_tells_what_it_read_and_how_far_it_came() -> None:
    failed = told(replace(COMPLETED, result=None, objects_done=1))

    assert failed["inputs"] == told(COMPLETED)["inputs"]
    assert failed["outputs"] == [
        {"namespace": "s3://b", "name": "out", "outputFacets": {"outputStatistics": {"fileCount": 1}}}
    ]
    assert failed["run_facets"]["externalQuery"]["externalQueryId"] == ARN
    assert "status" not in failed["run_facets"]["batchtx_transformJob"]


def test_outputs_that_are_not_whole_have_no_count_of_rows() -> None:
    accepted = told(replace(COMPLETED, result=replace(RESULT, status="Stopped", objects_done=1)))

    assert accepted["outputs"][0]["outputFacets"] == {"outputStatistics": {"fileCount": 1}}


def test_before_there_is_a_job_it_is_told_what_will_be_read_and_written() -> None:
    assert told(Trace()) == {
        "inputs": [{"namespace": "s3://b", "name": "in"}],
        "outputs": [{"namespace": "s3://b", "name": "out"}],
        "run_facets": {},
    }


@pytest.mark.parametrize(
    ("source", "kind", "uris", "expected"),
    [
        ("s3://b/in/", "S3Prefix", ["in/a", "in/_SUCCESS"], [("in", 2)]),
        ("s3://b/in", "S3Prefix", ["in/a"], [("in", 1)]),
        ("s3://b/in/a", "S3Prefix", ["in/a"], [("in/a", 1)]),
        ("https://s3.eu-west-1.amazonaws.com/b/in/", "S3Prefix", ["in/a"], [("in", 1)]),
        ("s3://b", "S3Prefix", ["a", "c/b"], [("/", 2)]),
        (["s3://b/x/", "s3://b/y/"], "S3Prefix", ["x/a", "x/b", "y/c"], [("x", 2), ("y", 1)]),
        (["s3://b/x/a", "s3://b/x/b"], "S3Prefix", ["x/a", "x/b"], [("x/a", 1), ("x/b", 1)]),
        ("s3://b/my.manifest", "ManifestFile", ["x/a", "x/y/b"], [("x", 2)]),
        ([f"s3://b/x/{n}" for n in range(101)], "S3Prefix", [f"x/{n}" for n in range(101)], [("x", 101)]),
    ],
    ids=[
        "prefix",
        "prefix without its slash",
        "object",
        "path style",
        "bucket",
        "prefixes",
        "objects",
        "own manifest",
        "many objects",
    ],
)
def test_the_input_is_what_the_task_was_given(
    source: Any, kind: str, uris: list[str], expected: list[tuple[str, int]]
) -> None:
    trace = Trace(intent=intent(*(f"s3://b/{key}" for key in uris), model={}))

    inputs = told(trace, asking(source, kind))["inputs"]

    assert {one["namespace"] for one in inputs} == {"s3://b"}
    assert [(one["name"], one["inputFacets"]["inputStatistics"]["fileCount"]) for one in inputs] == expected


def test_rows_are_told_only_of_an_input_that_is_one() -> None:
    trace = Trace(intent=intent("s3://b/x/a", "s3://b/y/a", model={}))

    inputs = told(trace, asking(["s3://b/x/", "s3://b/y/"]))["inputs"]

    assert all("rowCount" not in one["inputFacets"]["inputStatistics"] for one in inputs)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (ONE_CONTAINER, [("s3://models", "churn/model.tar.gz")]),
        (PIPELINE, [("s3://models", "scale/model.tar.gz"), ("s3://models", "churn")]),
        (PACKAGE, [("arn:aws:sagemaker:eu-west-1:123456789012", "model-package/churn/4")]),
        ({"PrimaryContainer": {"ModelPackageName": "churn"}}, [(ARN.rpartition(":")[0], "model-package/churn")]),
        ({"PrimaryContainer": {"Image": "i"}}, []),
    ],
    ids=["one container", "pipeline", "package", "package without a version", "image alone"],
)
def test_a_model_is_what_it_was_made_of(model: Any, expected: list[tuple[str, str]]) -> None:
    trace = Trace(job_arn=ARN, intent=intent("s3://b/in/1", model=model))

    assert names(told(trace)["inputs"])[1:] == expected


def test_no_value_of_an_environment_is_told() -> None:
    model = {"PrimaryContainer": {"Image": "i", "Environment": {"ModelPackageName": "a", "S3Uri": "b"}}}

    assert names(told(Trace(intent=intent("s3://b/in/1", model=model)))["inputs"]) == [("s3://b", "in")]


@pytest.mark.parametrize(
    ("uri", "name"), [("s3://b/in/", "in"), ("s3://b/in", "in"), ("s3://b/a/b.csv", "a/b.csv"), ("s3://b", "/")]
)
def test_names_follow_openlineages_naming(uri: str, name: str) -> None:
    assert dataset_name(S3Uri.parse(uri)) == ("s3://b", name)


class TracedOperator(Traced, BaseOperator):
    def given_request(self) -> Any:
        return REQUEST


def test_openlineages_provider_is_told_whatever_is_known() -> None:
    task = TracedOperator(task_id="score")
    extractor = DefaultExtractor(task)

    early = [extractor.extract(), extractor.extract_on_complete(None), extractor.extract_on_failure(None)]
    task.trace = COMPLETED
    late = [extractor.extract_on_complete(None), extractor.extract_on_failure(None)]

    assert early == [lineage(REQUEST)] * 3
    assert late == [lineage(REQUEST, COMPLETED)] * 2
