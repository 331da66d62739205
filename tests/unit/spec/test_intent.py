from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.intent import Done, Intent, ObjectState, PinnedObject, Try, Work
from airflow_batchtx.spec.naming import Identity

STATE = ObjectState(etag='"e"', modified="2026-11-23T01:00:00.000+00:00")
FIRST = PinnedObject(
    uri="s3://b/in/ü.csv", size=9, etag='"a"', sha256=None, target="s3://b/out/ü.csv.out", before=None, done=None
)
INTENT = Intent(
    job_name="churn-0123456789ab-2",
    attempt=2,
    epoch=0,
    identity=Identity(namespace="prod", dag_id="d", task_id="t", run_id="r", map_index=-1),
    written="2026-11-23T01:00:01.000+00:00",
    request={"ModelName": "churn", "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}},
    work=Work(
        request={"ModelName": "churn"},
        model={"Containers": [{"Image": "i"}]},
        objects={"s3://b/in/ü.csv": 'etag:"a":9', "s3://b/in/b.csv": "sha256:00"},
    ),
    objects=(
        FIRST,
        replace(FIRST, uri="s3://b/in/b.csv", sha256="00", before=STATE),
        replace(FIRST, uri="s3://b/in/c.csv", done=Done(job_name="churn-0123456789ab", state=STATE)),
    ),
    empty=("s3://b/in/nothing.csv",),
    left_out=3,
    prepared=None,
    rows=None,
    model_created=None,
    output="s3://b/out/",
)


def test_an_intent_is_read_as_it_was_written() -> None:
    assert Intent.read(INTENT.to_json()) == INTENT


def test_the_try_that_wrote_it_may_be_unknown() -> None:
    value = json.loads(replace(INTENT, tried=Try(number=2, id="x")).to_json())
    assert Intent.read(json.dumps(value).encode()).tried == Try(number=2, id="x")
    del value["tried"]
    assert Intent.read(json.dumps(value).encode()) == INTENT


def test_members_of_later_versions_are_ignored_wherever_they_are() -> None:
    value = json.loads(INTENT.to_json())
    for place in (
        value,
        value["identity"],
        value["work"],
        value["objects"][1],
        value["objects"][1]["before"],
        value["objects"][2]["done"],
    ):
        place["new"] = 1

    assert Intent.read(json.dumps(value).encode()) == INTENT


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", INTENT.to_json()[:-9]])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        Intent.read(body)


@pytest.mark.parametrize("member", ["identity", "work", "objects", "empty", "request"])
def test_a_member_of_another_form_is_refused(member: str) -> None:
    value = json.loads(INTENT.to_json())
    value[member] = 7

    with pytest.raises(MalformedRecord):
        Intent.read(json.dumps(value).encode())


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(st.text(max_size=5), TREES, max_size=4)


def turned(value: Any) -> Any:
    """The same value, every mapping in it put together in another order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(part) for part in value] if isinstance(value, list) else value


@given(MAPPINGS, MAPPINGS, st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4))
def test_the_same_value_gives_the_same_bytes(
    request_: dict[str, Any], model: dict[str, Any], objects: dict[str, str]
) -> None:
    intent = replace(INTENT, request=request_, work=Work(request=request_, model=model, objects=objects))
    again = replace(
        INTENT,
        request=turned(request_),
        work=Work(request=turned(request_), model=turned(model), objects=turned(objects)),
    )

    assert intent == again
    assert intent.to_json() == again.to_json()
    assert Intent.read(intent.to_json()) == intent
