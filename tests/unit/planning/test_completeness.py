from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.completeness import completeness
from airflow_batchtx.spec.intent import Done, ObjectState, PinnedObject


def state(etag: str, second: int = 0) -> ObjectState:
    return ObjectState(etag=etag, modified=f"2026-11-23T01:00:{second:02}+00:00")


def pinned(name: str = "a", before: ObjectState | None = None, done: ObjectState | None = None) -> PinnedObject:
    return PinnedObject(
        uri=f"s3://b/in/{name}",
        size=1,
        etag='"e"',
        sha256=None,
        target=f"s3://b/out/{name}.out",
        before=before,
        done=Done(job_name="j", state=done) if done else None,
    )


OLD, NEW, OTHER = state("old"), state("new", 9), state("other", 30)

CASES: list[tuple[ObjectState | None, ObjectState | None, ObjectState | None, str]] = [
    # before, done by an earlier attempt, now
    (None, None, None, "missing"),
    (None, None, NEW, "done"),
    (OLD, None, OLD, "unchanged"),
    (OLD, None, NEW, "done"),
    (OLD, None, None, "missing"),
    # The same answer, written anew, is told by its time; one that came within a second by its ETag.
    (OLD, None, state("old", 1), "done"),
    (OLD, None, state("new"), "done"),
    (NEW, NEW, NEW, "done"),
    (NEW, NEW, None, "missing"),
    (NEW, NEW, OTHER, "unchanged"),
    (OLD, NEW, OLD, "unchanged"),
]


@pytest.mark.parametrize(("before", "done", "now", "expected"), CASES)
def test_whether_an_output_counts(
    before: ObjectState | None, done: ObjectState | None, now: ObjectState | None, expected: str
) -> None:
    one = pinned(before=before, done=done)

    told = completeness([one], {one.target: now} if now else {})

    assert {
        "done": told.done == ((one, now),),
        "missing": told.missing == (one,),
        "unchanged": told.unchanged == (one,),
    } == {name: name == expected for name in ("done", "missing", "unchanged")}
    assert told.whole is (expected == "done")


def test_outputs_that_answer_nothing_are_told() -> None:
    outputs = {f"s3://b/out/{name}": NEW for name in ("a.out", "z.out", "c/b.out", "_SUCCESS", "a.csv")}

    assert completeness([pinned()], outputs).unexpected == ("s3://b/out/c/b.out", "s3://b/out/z.out")


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, {"old", "same", "new", "unknown"}),
        ("2026-11-23T01:00:05+00:00", {"same", "new", "unknown"}),
        ("2026-11-23T02:00:05.000+01:00", {"same", "new", "unknown"}),
        ("2026-11-23T01:00:05.001+00:00", {"new", "unknown"}),
    ],
)
def test_what_was_there_before_the_intent_is_not_unexpected(since: str | None, expected: set[str]) -> None:
    outputs = {
        "s3://b/out/old.out": state("e", 4),
        "s3://b/out/same.out": state("e", 5),
        "s3://b/out/new.out": state("e", 6),
        "s3://b/out/unknown.out": ObjectState(etag="e", modified=""),
    }

    told = completeness([], outputs, since=since)

    assert told.unexpected == tuple(sorted(f"s3://b/out/{name}.out" for name in expected))


STATES = st.none() | st.sampled_from([state(etag, second) for etag, second in product("xy", (0, 1))])
OBJECTS = st.lists(
    st.builds(pinned, st.sampled_from("abcdef"), STATES, STATES), max_size=6, unique_by=lambda one: one.uri
)
OUTPUTS = st.dictionaries(st.sampled_from([f"s3://b/out/{name}.out" for name in "abcdefgh"]), STATES.filter(bool))


@given(OBJECTS, OUTPUTS)
def test_every_object_is_in_one_part_and_every_output_has_its_place(
    objects: list[PinnedObject], outputs: dict[str, ObjectState]
) -> None:
    told = completeness(iter(objects), outputs)

    parts = [tuple(one for one, _ in told.done), told.missing, told.unchanged]
    assert sorted((one for part in parts for one in part), key=objects.index) == objects
    assert all(list(part) == sorted(part, key=objects.index) for part in parts)
    assert {one.target for one, _ in told.done} | {one.target for one in told.unchanged} | set(told.unexpected) == set(
        outputs
    )
    assert not {one.target for one in objects} & set(told.unexpected)
    assert all(outputs[one.target] == seen for one, seen in told.done)
    assert told.whole == (len(told.done) == len(objects))


@given(OBJECTS, OUTPUTS)
def test_what_an_attempt_leaves_untouched_never_counts_for_it(
    objects: list[PinnedObject], outputs: dict[str, ObjectState]
) -> None:
    before = [pinned(one.uri[-1], outputs.get(one.target)) for one in objects]

    assert completeness(before, outputs).done == ()


@given(OBJECTS, OUTPUTS)
def test_what_counts_once_counts_for_the_attempts_after(
    objects: list[PinnedObject], outputs: dict[str, ObjectState]
) -> None:
    first = completeness(objects, outputs)
    again = [pinned(one.uri[-1], seen, seen) for one, seen in first.done]

    assert completeness(again, outputs).whole
