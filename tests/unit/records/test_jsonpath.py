"""Filters: what they read is in tests/golden/data-processing/jsonpath.json; here is what they are."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import InvalidJsonPath
from airflow_batchtx.records import jsonpath

ROWS = st.lists(st.binary(max_size=3), max_size=8)
ENDS = st.none() | st.integers(-10, 10)


@pytest.mark.parametrize("path", ["$", "$[0]", "$.a"])
def test_only_the_root_keeps_everything(path: str) -> None:
    assert jsonpath.parsed(path).is_root is (path == "$")


@given(row=ROWS, start=ENDS, stop=ENDS)
def test_slices_are_python_slices(row: list[bytes], start: int | None, stop: int | None) -> None:
    path = f"$[{'' if start is None else start}:{'' if stop is None else stop}]"

    assert jsonpath.parsed(path).taken(row) == row[start:stop]


@given(row=ROWS, indexes=st.lists(st.integers(-10, 10), min_size=2, max_size=4))
def test_index_lists_are_picked_or_refused(row: list[bytes], indexes: list[int]) -> None:
    path = jsonpath.parsed(f"$[{','.join(map(str, indexes))}]")

    if all(-len(row) <= index < len(row) for index in indexes):
        assert path.taken(row) == [row[index] for index in indexes]
    else:
        with pytest.raises(InvalidJsonPath):
            path.taken(row)


@given(text=st.text(alphabet="$[]*., :-'a1", max_size=12))
def test_any_text_is_a_path_or_refused_by_name(text: str) -> None:
    with contextlib.suppress(InvalidJsonPath):
        assert jsonpath.parsed(text).text == text
        return

    with pytest.raises(InvalidJsonPath) as caught:
        jsonpath.parsed(text)
    assert caught.value.path == text
    assert text in caught.value.detail


@given(text=st.text(alphabet=string.ascii_letters + string.digits + "$[]*. ,:-'"))
def test_allowed_characters_pass_at_create(text: str) -> None:
    jsonpath.check(text, "text/csv")


@pytest.mark.parametrize("character", ["_", "?", "(", '"', "@", "/", "é", "\n"])
def test_the_first_strange_character_is_named_at_create(character: str) -> None:
    with pytest.raises(InvalidJsonPath) as caught:
        jsonpath.check(f"$.a{character}b#", "application/json")

    assert caught.value.detail == (
        f'Unexpected "{character}" in JsonPath. Supported operators for "application/json" are '
        "['$', '[', ']', '*', '.', ' ', ',', ':', '-', ''']."
    )


def test_wildcards_within_wildcards_give_one_list() -> None:
    assert jsonpath.parsed("$.*.*").taken({"b": [1, 2], "a": {"y": 3, "x": 4}}) == [4, 3, 1, 2]


def test_all_steps_after_a_wildcard_go_into_each() -> None:
    assert jsonpath.parsed("$[*].a.b").taken([{"a": {"b": 1}}, {"a": {"b": 2}}]) == [1, 2]


def test_steps_after_a_list_of_indexes_go_into_each() -> None:
    assert jsonpath.parsed("$[0,-1].n").taken([{"n": 1}, {"n": 2}, {"n": 3}]) == [1, 3]
