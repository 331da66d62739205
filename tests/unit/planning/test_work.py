from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.selection import Found
from airflow_batchtx.planning.work import differences, digested, same_version, version, work_of
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.intent import Work
from airflow_batchtx.spec.members import MEMBERS, Kind
from airflow_batchtx.spec.uri import S3Uri

REQUEST: dict[str, Any] = {
    "TransformJobName": "churn",
    "ModelName": "churn",
    "BatchStrategy": "MultiRecord",
    "Environment": {"A": "hunter2"},
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath": "s3://b/out/", "Accept": "text/csv"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
}
MODEL: dict[str, Any] = {
    "ModelName": "churn",
    "ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/churn",
    "CreationTime": datetime(2026, 1, 1, tzinfo=timezone.utc),
    "PrimaryContainer": {"Image": "image:1", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"B": "hunter3"}},
    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/r",
    "EnableNetworkIsolation": False,
    "ResponseMetadata": {"RequestId": "1"},
}
OBJECTS = (Found(S3Uri("b", "in/a"), 1, '"a"'), Found(S3Uri("b", "in/b"), 2, '"b"', "00"))


def work(request: Any = REQUEST, model: Any = MODEL, objects: Any = OBJECTS) -> Work:
    return work_of(request, model, objects)


def changed(value: dict[str, Any], path: str, new: Any) -> dict[str, Any]:
    copy = wire.copied(value)
    wire.put(copy, path, new)
    return copy


def test_what_decides_the_output_is_taken_out_flat() -> None:
    told = work()

    assert told.request == {
        "ModelName": "churn",
        "BatchStrategy": "MultiRecord",
        "Environment.A": digested({"A": "hunter2"})["A"],
        "TransformInput.ContentType": "text/csv",
        "TransformInput.SplitType": "Line",
        "TransformOutput.S3OutputPath": "s3://b/out/",
        "TransformOutput.Accept": "text/csv",
    }
    assert told.model == {
        "PrimaryContainer.Image": "image:1",
        "PrimaryContainer.ModelDataUrl": "s3://b/m.tar.gz",
        "PrimaryContainer.Environment.B": digested({"B": "hunter3"})["B"],
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/r",
        "EnableNetworkIsolation": False,
    }
    assert told.objects == {"s3://b/in/a": 'etag:"a":1', "s3://b/in/b": 'sha256:00 etag:"b":2'}


def test_the_containers_of_a_pipeline_keep_their_places() -> None:
    two = {"Containers": [{"Image": "a", "Environment": {}}, {"Image": "b", "Environment": {"C": "hunter2"}}]}

    assert work(model=two).model == {
        "Containers.0.Image": "a",
        "Containers.1.Image": "b",
        "Containers.1.Environment.C": digested({"C": "hunter2"})["C"],
    }


def test_values_of_an_environment_are_nowhere() -> None:
    before, now = work(), work(changed(REQUEST, "Environment.A", "hunter4"), changed(MODEL, "PrimaryContainer.X", 1))

    told = json.dumps([before.request, before.model]) + "".join(map(str, differences(before, now)))

    assert "hunter" not in told
    assert digested({"A": "x"}) == {"A": "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}


# One value for each member, other than the one in REQUEST.
OTHER: dict[Kind, Any] = {
    Kind.INTEGER: 7,
    Kind.FLAG: True,
    Kind.TEXTS: {"A": "x"},
    Kind.TAGS: [{"Key": "a", "Value": "b"}],
}
IRRELEVANT = {
    "TransformJobName",
    "Tags",
    "MaxConcurrentTransforms",
    *(
        member.path
        for member in MEMBERS
        if member.path.partition(".")[0] in {"ExperimentConfig", "TransformResources", "ModelClientConfig"}
    ),
    "TransformInput.DataSource.S3DataSource.S3DataType",
    "TransformInput.DataSource.S3DataSource.S3Uri",
}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: str(member.path))
def test_a_changed_member_is_named_if_it_can_change_the_output(member: Any) -> None:
    now = work(changed(REQUEST, member.path, OTHER.get(member.kind, "other")))

    told = [(one.part, one.name) for one in differences(work(), now)]

    name = "Environment.A" if member.kind is Kind.TEXTS else member.path
    assert told == ([] if member.path in IRRELEVANT else [("request", name)])


def test_a_member_that_is_newer_than_this_package_counts() -> None:
    (told,) = differences(work(), work({**REQUEST, "BrandNew": {"Deep": [1]}}))

    assert (told.part, told.name, told.before, told.now) == ("request", "BrandNew.Deep.0", None, 1)


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("TransformInput.CompressionType", "None"),
        ("TransformOutput.AssembleWith", "None"),
        ("TransformOutput.KmsKeyId", ""),
        ("DataProcessing", {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}),
        ("DataProcessing", {}),
        ("Tags", None),
        ("Accept", None),
    ],
)
def test_to_write_a_default_or_to_leave_it_out_is_the_same(path: str, default: Any) -> None:
    assert differences(work(), work(changed(REQUEST, path, default))) == ()


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("ModelArn", "another"),
        ("ModelName", "another"),
        ("CreationTime", datetime(2027, 1, 1, tzinfo=timezone.utc)),
        ("ResponseMetadata", {"RequestId": "2"}),
        ("DeploymentRecommendation", {"RecommendationStatus": "COMPLETED"}),
    ],
)
def test_what_is_not_the_model_does_not_count(path: str, new: Any) -> None:
    assert differences(work(), work(model=changed(MODEL, path, new))) == ()


@pytest.mark.parametrize(
    "path", ["PrimaryContainer.Image", "PrimaryContainer.Environment.B", "ExecutionRoleArn", "EnableNetworkIsolation"]
)
def test_a_changed_model_is_named(path: str) -> None:
    (told,) = differences(work(), work(model=changed(MODEL, path, "other")))

    assert (told.part, told.name) == ("model", path)


VERSIONS: list[tuple[Found, bool]] = [
    (Found(S3Uri("b", "k"), 2, '"a"', "00"), True),
    (Found(S3Uri("b", "k"), 2, '"other"', "00"), True),
    (Found(S3Uri("b", "k"), 2, '"a"', "01"), False),
    (Found(S3Uri("b", "k"), 2, '"a"'), True),
    (Found(S3Uri("b", "k"), 2, '"other"'), False),
    (Found(S3Uri("b", "k"), 3, '"a"'), False),
]


@pytest.mark.parametrize(("other", "same"), VERSIONS, ids=lambda case: str(case)[-40:])
def test_versions_are_compared_by_what_both_know(other: Found, same: bool) -> None:
    one = version(Found(S3Uri("b", "k"), 2, '"a"', "00"))

    assert same_version(one, version(other)) is same
    assert same_version(version(other), one) is same


TOLD: list[tuple[Work, str]] = [
    (work({**REQUEST, "ModelName": "churn2"}), "request ModelName was 'churn', is 'churn2'"),
    (work({**REQUEST, "MaxPayloadInMB": 6}), "request MaxPayloadInMB is new: 6"),
    (work({**REQUEST, "BatchStrategy": None}), "request BatchStrategy is gone, it was 'MultiRecord'"),
    (work(changed(REQUEST, "Environment.A", "x")), "request Environment.A has another value"),
    (work(changed(REQUEST, "Environment.B", "x")), "request Environment.B is new: a value that is not shown"),
    (work({**REQUEST, "ModelName": "x" * 99}), f"request ModelName was 'churn', is '{'x' * 76}..."),
    (work(model=changed(MODEL, "PrimaryContainer.Image", "i")), "model PrimaryContainer.Image was 'image:1', is 'i'"),
    (work(objects=OBJECTS[:1]), "input objects removed: 1 (s3://b/in/b)"),
    (
        work(objects=[*OBJECTS, *(Found(S3Uri("b", f"in/{n}"), 1, "") for n in range(4))]),
        "input objects added: 4 (s3://b/in/0, s3://b/in/1, s3://b/in/2, ...)",
    ),
    (work(objects=[OBJECTS[1], Found(S3Uri("b", "in/a"), 1, '"z"')]), "input objects changed: 1 (s3://b/in/a)"),
]  # fmt: skip


@pytest.mark.parametrize(("now", "text"), TOLD, ids=lambda case: case if isinstance(case, str) else "")
def test_a_difference_reads_well(now: Work, text: str) -> None:
    assert [str(one) for one in differences(work(), now)] == [text]


def test_every_object_that_differs_is_there_for_programs() -> None:
    now = work(objects=[Found(S3Uri("b", "in/a"), 9, '"z"'), *(Found(S3Uri("b", f"in/{n}"), 1, "") for n in range(9))])

    told = {one.name: (one.before, one.now) for one in differences(work(), now)}

    assert told == {
        "objects added": ((), tuple(f"s3://b/in/{n}" for n in range(9))),
        "objects removed": (("s3://b/in/b",), ()),
        "objects changed": (("s3://b/in/a",), ("s3://b/in/a",)),
    }


# ------------------------------------------------------------------------------------------------- whatever comes

VALUES = st.sampled_from([0, 1, True, False, "1", "", "a"])
TREES = st.recursive(
    VALUES | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("AB"), inner, max_size=2),
    max_leaves=4,
)
ENVIRONMENTS = st.dictionaries(st.sampled_from("AB"), st.sampled_from(["", "a", "b"]))
MAPPINGS = st.fixed_dictionaries(
    {}, optional={"A": TREES, "B": TREES, "ModelName": VALUES, "Environment": ENVIRONMENTS}
)
FOUND = st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(1, 2), st.sampled_from("ef")), max_size=3).map(
    lambda them: [Found(S3Uri("b", key), size, etag) for key, (size, etag) in them.items()]
)
SUMMED = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.sampled_from("ef"), st.sampled_from(["00", "01"])), max_size=3
).map(lambda them: [Found(S3Uri("b", key), 1, etag, sha256) for key, (etag, sha256) in them.items()])
PAIRS = st.one_of(st.tuples(FOUND, FOUND), st.tuples(SUMMED, SUMMED))


@given(MAPPINGS, MAPPINGS, MAPPINGS, MAPPINGS, PAIRS)
def test_works_differ_both_ways_or_not_at_all(
    request_: Any, other_request: Any, model: Any, other_model: Any, objects: tuple[list[Found], list[Found]]
) -> None:
    one, other = work_of(request_, model, objects[0]), work_of(other_request, other_model, objects[1])

    assert len(differences(one, other)) == len(differences(other, one))
    assert differences(one, one) == ()


def turned(value: Any) -> Any:
    """The same value, every mapping in it put together in another order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(part) for part in value] if isinstance(value, list) else value


@given(MAPPINGS, MAPPINGS, FOUND)
def test_order_means_nothing(request_: Any, model: Any, objects: list[Found]) -> None:
    one = work_of(request_, model, objects)
    other = work_of(turned(request_), turned(model), reversed(objects))

    assert differences(one, other) == ()


def test_the_same_bytes_written_anew_are_the_same_work() -> None:
    # With a key of KMS the same bytes get another ETag each time.
    before, now = ([Found(S3Uri("b", "k"), 1, etag, "00")] for etag in ('"e"', '"f"'))

    assert differences(work(objects=before), work(objects=now)) == ()


@given(FOUND)
def test_a_sum_on_one_side_only_is_no_difference(objects: list[Found]) -> None:
    summed = [Found(one.uri, one.size, one.etag, "00") for one in objects]

    assert differences(work(objects=objects), work(objects=summed)) == ()
    assert differences(work(objects=summed), work(objects=objects)) == ()
