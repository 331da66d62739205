from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.engine.inputs import inputs
from airflow_batchtx.planning import manifests
from airflow_batchtx.planning.selection import Found, InputSet, common_folder, select
from airflow_batchtx.planning.transfers import output_of, transfers
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

OUTPUT = S3Uri("out", "run/")


def uri(key: str) -> S3Uri:
    return S3Uri("b", key)


def found(*keys: str, size: int = 9) -> list[Found]:
    return [Found(uri(key), size, '"e"') for key in keys]


def chosen(prefixes: str | Sequence[str], keys: Iterable[str], **patterns: Any) -> list[str]:
    """Give the keys that are chosen of those in a bucket: whatever lies there may be found."""
    asked = [uri(prefix) for prefix in ([prefixes] if isinstance(prefixes, str) else prefixes)]
    return [one.uri.key for one in select(asked, found(*keys), **patterns).chosen]


CASES: list[tuple[str | list[str], list[str], list[str]]] = [
    ("in/", ["in/b", "in/a", "in/sub/c", "other"], ["in/a", "in/b", "in/sub/c"]),
    # Raw text, as S3Prefix is.
    ("data", ["data/x", "data2/x", "dat"], ["data/x", "data2/x"]),
    ("", ["a", "b/c"], ["a", "b/c"]),
    # What writers leave beside their data.
    (
        "in/",
        ["in/_SUCCESS", "in/a", "in/.part.crc", "in/_temporary/0/a", "in/sub/_x", "in/day=1/.hidden/a", "in/a_b/.c"],
        ["in/a"],
    ),
    ("in/", ["in/a_b", "in/a.csv", "in/b/c_"], ["in/a.csv", "in/a_b", "in/b/c_"]),
    ("", ["_batchtx/j/intent.json", "a"], ["a"]),
    # What a prefix says itself hides nothing.
    ("_stage/in/", ["_stage/in/a", "_stage/in/_b"], ["_stage/in/a"]),
    ("in/_part", ["in/_part-1", "in/_part-2/a", "in/_part-2/_b"], ["in/_part-1", "in/_part-2/a"]),
    ("in/_SUCCESS", ["in/_SUCCESS"], ["in/_SUCCESS"]),
    (["in/_x/", "in/y/"], ["in/_x/a", "in/y/b", "in/y/_c"], ["in/_x/a", "in/y/b"]),
    (["in/", "in/_x/"], ["in/a", "in/_x/b", "in/_y/c"], ["in/_x/b", "in/a"]),
    # An object's own URI is no prefix of others.
    ("in/part-1", ["in/part-1", "in/part-10", "in/part-1.out"], ["in/part-1"]),
    (["in/part-1", "in/part-10"], ["in/part-1", "in/part-10", "in/part-11"], ["in/part-1", "in/part-10"]),
    (["in/part-1", "in/"], ["in/part-1", "in/part-10"], ["in/part-1", "in/part-10"]),
    # Folder markers are no objects.
    ("in/", ["in/", "in/sub/", "in/sub/a"], ["in/sub/a"]),
    (["in/a/", "in/b/"], ["in/a/", "in/a/x", "in/b/y", "in/c/z"], ["in/a/x", "in/b/y"]),
]  # fmt: skip


@pytest.mark.parametrize(("prefixes", "keys", "expected"), CASES)
def test_what_is_chosen(prefixes: str | list[str], keys: list[str], expected: list[str]) -> None:
    assert chosen(prefixes, keys) == expected


PATTERNS: list[tuple[dict[str, Any], list[str]]] = [
    ({"include": "*.csv"}, ["in/a.csv", "in/day=1/b.csv"]),
    ({"include": ["*.csv", "*.json"]}, ["in/a.csv", "in/c.json", "in/day=1/b.csv"]),
    ({"include": "day=?/*"}, ["in/day=1/b.csv"]),
    ({"exclude": "*.csv"}, ["in/C.CSV", "in/c.json"]),
    ({"include": "*.csv", "exclude": ["day=*"]}, ["in/a.csv"]),
    ({"include": ()}, ["in/C.CSV", "in/a.csv", "in/c.json", "in/day=1/b.csv"]),
    ({"include": "in/*"}, []),
    ({"include": "_*"}, []),
    ({"include": "[ac].*"}, ["in/a.csv", "in/c.json"]),
]


@pytest.mark.parametrize(("patterns", "expected"), PATTERNS, ids=str)
def test_patterns_are_of_the_path_below_the_base(patterns: dict[str, Any], expected: list[str]) -> None:
    keys = ["in/a.csv", "in/C.CSV", "in/day=1/b.csv", "in/c.json", "in/_d.csv"]

    assert chosen("in/", keys, **patterns) == expected


def test_what_is_not_chosen_is_told() -> None:
    objects = [*found("in/a", "in/_b", "in/c.txt", "in/", "other"), *found("in/nothing", "in/_SUCCESS", size=0)]

    told = select([uri("in/")], objects, exclude="*.txt")

    assert told == InputSet(
        base=uri("in/"), chosen=tuple(found("in/a")), empty=(uri("in/nothing"),), left_out=3, exact=False
    )


@pytest.mark.parametrize(
    ("keys", "folder"),
    [
        (["in/"], "in/"),
        (["in"], ""),
        (["in/day=1"], "in/"),
        (["in/a.csv"], "in/"),
        (["in/day=1/", "in/day=2/"], "in/"),
        (["in/day=1/", "in/day=1/"], "in/day=1/"),
        (["in/a/", "in/a/b"], "in/a/"),
        (["in/a", "in/a/b"], "in/"),
        (["in/x/1", "in/x/2", "in/y/3"], "in/"),
        (["a", "b"], ""),
        (["", "b/c"], ""),
        (["ü/é", "ü/è"], "ü/"),
    ],
)
def test_the_folder_that_prefixes_have_in_common(keys: list[str], folder: str) -> None:
    assert common_folder([uri(key) for key in keys]) == uri(folder)
    assert common_folder([uri(key) for key in reversed(keys)]) == uri(folder)


# ------------------------------------------------------------------------------------------------- whatever comes

KEYS = st.lists(st.sampled_from(["a", "b", "a1", "_x", ".y", ""]), min_size=1, max_size=3).map("/".join)
OBJECTS = st.lists(st.tuples(KEYS.filter(bool), st.integers(0, 2)), max_size=12)
PREFIXES = st.lists(KEYS, min_size=1, max_size=3)
GLOBS = st.lists(st.sampled_from(["*", "a*", "*b", "*/*", "?"]), max_size=2)


@given(OBJECTS, PREFIXES, GLOBS, GLOBS)
def test_no_object_is_lost_or_doubled(
    objects: list[tuple[str, int]], prefixes: list[str], include: list[str], exclude: list[str]
) -> None:
    sizes = dict(objects)
    asked = [uri(prefix) for prefix in prefixes]
    listed = [Found(uri(key), sizes[key], '"e"') for prefix in prefixes for key in sizes if key.startswith(prefix)]

    told = select(asked, listed, include, exclude)

    here = [one.uri for one in told.chosen] + list(told.empty)
    real = {key for key in sizes if not key.endswith("/")}
    objects_asked_for = real & set(prefixes)
    below = {
        key
        for key in real
        if key in objects_asked_for or any(key.startswith(one) for one in set(prefixes) - objects_asked_for)
    }
    assert len(here) == len(set(here))
    assert {one.key for one in here} <= below
    assert len(here) + told.left_out == len(below)
    assert all(told.base.covers(one) for one in here)
    assert all(one.size for one in told.chosen)
    assert all(sizes[one.key] == 0 for one in told.empty)
    if not include and not exclude:
        assert objects_asked_for <= {one.key for one in here}
    assert list(told.chosen) == [
        next(one for one in told.chosen if one.uri == transfer.source)
        for transfer in transfers(told.base, [one.uri for one in told.chosen], OUTPUT)
    ]


@given(OBJECTS, PREFIXES, GLOBS, GLOBS, st.randoms())
def test_the_order_of_what_was_found_and_asked_means_nothing(
    objects: list[tuple[str, int]], prefixes: list[str], include: list[str], exclude: list[str], random: Any
) -> None:
    listed = [Found(uri(key), size, '"e"') for key, size in dict(objects).items()]
    told = select([uri(one) for one in prefixes], listed, include, exclude)

    random.shuffle(listed)
    random.shuffle(prefixes)

    assert select([uri(one) for one in prefixes], [*listed, *listed], include, exclude) == told


@given(OBJECTS, PREFIXES, GLOBS, GLOBS)
def test_an_input_is_exact_if_sagemaker_takes_the_same_by_its_prefix(
    objects: list[tuple[str, int]], prefixes: list[str], include: list[str], exclude: list[str]
) -> None:
    store = InMemoryStore({str(uri(key)): b"x" * size for key, size in objects}, buckets=["b"])
    asked = [uri(prefix) for prefix in prefixes]
    # A set is listed as its prefixes say; what S3Prefix takes is asked of the engine.
    listed = [Found(one.uri, one.size, one.etag) for prefix in asked for one in store.objects(prefix)]

    told = select(asked, listed, include, exclude)

    if len(set(asked)) == 1:
        _, taken = inputs(store, {"S3Uri": str(asked[0]), "S3DataType": "S3Prefix"})
        assert told.exact == ([one.uri for one in told.chosen] == list(taken))
    else:
        assert not told.exact


@given(OBJECTS.filter(bool), PREFIXES)
def test_by_prefix_or_by_manifest_an_output_lies_at_the_same_place(
    objects: list[tuple[str, int]], prefixes: list[str]
) -> None:
    listed = [Found(uri(key), 1, '"e"') for key, _ in objects if any(key.startswith(one) for one in prefixes)]
    told = select([uri(prefix) for prefix in prefixes], listed)
    sources = [one.uri for one in told.chosen]
    if not sources:
        return

    manifest = manifests.read(manifests.written(told.base, sources))
    by_manifest = transfers(manifest.prefix, manifest.sources, OUTPUT)

    assert by_manifest == transfers(told.base, sources, OUTPUT)
    assert [one.target for one in by_manifest] == [
        output_of(source.key[len(told.base.key) :], OUTPUT) for source in sources
    ]
    if told.exact:
        assert by_manifest == transfers(uri(prefixes[0]), sources, OUTPUT)


def test_the_base_of_a_manifest_is_its_own() -> None:
    objects = found("in/x/a", "in/x/b")

    told = select([one.uri for one in objects], objects, include="x/a", base=uri("in/"))

    assert (told.base, told.chosen, told.left_out) == (uri("in/"), (objects[0],), 1)


def test_sums_go_with_their_objects() -> None:
    known = [replace(one, sha256="00") for one in found("in/a")]

    assert select([uri("in/")], known).chosen == tuple(known)
