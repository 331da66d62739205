"""JSON out of a stream: whatever pieces it comes in, the documents are those of the whole text."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.association.documents import Documents
from airflow_batchtx.errors import AssociationError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.sampled_from('a,"]}[{\\\n é'), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
forms = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])


def plain(value: Any) -> Any:
    """Give a value as json reads it: numbers come as the text that they were."""
    return json.loads(json.dumps(value, default=lambda number: json.loads(number.decode())))


def opened(text: str, block: int) -> Documents:
    return Documents(io.BytesIO(text.encode()), "s3://b/out", block=block)


@given(st.lists(values, max_size=6), forms, st.sampled_from(["\n", "\n\n", " ", "\r\n"]), st.integers(1, 40))
def test_documents_come_one_by_one(found: list[Any], form: dict[str, Any], between: str, block: int) -> None:
    text = between.join(json.dumps(value, **form) for value in found)

    read = [value for batch in opened(text, block).batches() for value in batch]

    assert [plain(value) for value in read] == found


@given(st.lists(st.lists(values, max_size=6), max_size=4), forms, st.sampled_from(["", "\n"]), st.integers(1, 40))
def test_elements_of_lists_come_one_by_one(
    found: list[list[Any]], form: dict[str, Any], between: str, block: int
) -> None:
    text = between.join(json.dumps(value, **form) for value in found)

    read = [value for batch in opened(text, block).elements(()) for value in batch]
    counted = [lists[()] for lists in opened(text, block).lists()]

    assert [plain(value) for value in read] == [value for part in found for value in part]
    assert counted == [len(part) for part in found]


@given(st.lists(values, max_size=6), values, forms, st.integers(1, 40))
def test_elements_below_members_come_one_by_one(found: list[Any], other: Any, form: dict[str, Any], block: int) -> None:
    text = json.dumps({"x": other, "a": {"y": other, "b": found, "z": other}, "w": other}, **form)

    read = [value for batch in opened(text, block).elements(("a", "b")) for value in batch]

    assert [plain(value) for value in read] == found
    assert next(opened(text, block).lists())["a", "b"] == len(found)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ('{"a":1}\n{"a":', 2), ('{"a":1}\n}', 2), ("1\n2x", 2), ("0.50.7", 1), ("[1,2", 1), ('"a', 1), ("{'a':1}", 1),
        ("[1]\n[2]\n[3}", 3), ("nul", 1), ("\ufeff1\n?", 2),
    ],
)  # fmt: skip
@pytest.mark.parametrize("block", [1, 5, 1000])
def test_what_is_no_json_is_named(text: str, record: int, block: int) -> None:
    with pytest.raises(AssociationError) as caught:
        list(opened(text, block).batches())

    assert (caught.value.uri, caught.value.record) == ("s3://b/out", record)


@pytest.mark.parametrize(
    "text", ['{"b":1}', "[1]", '{"a":1}', '{"a":{"b":1}}', '{"a" 1}', '{"a":[1,]}', '{"a":[1 2]}', "{1:2}"]
)
def test_a_list_that_is_not_there_is_named(text: str) -> None:
    with pytest.raises(AssociationError):
        list(opened(text, 3).elements(("a",)))


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(AssociationError, match="UTF-8"):
        list(Documents(io.BytesIO(b'"\xff"'), "u").batches())


class Endless:
    """A list of numbers that never ends; `taken` tells how much of it was read."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1, /) -> bytes:
        start, self.taken = self.taken, self.taken + size
        text = b"0.25, " * (size // 6 + 2)
        return text[start % 6 : start % 6 + size] if start else b"[" + text[1:size].replace(b".25", b"0.25", 1)


def test_a_list_of_any_length_takes_little_memory() -> None:
    source = Endless()

    batches = Documents(source, "u", block=6000).elements(())

    assert {value for _, batch in zip(range(9), batches, strict=False) for value in batch} == {b"0.25"}
    assert source.taken <= 20 * 6000


def test_what_is_broken_is_not_read_to_its_end() -> None:
    source = io.BytesIO(b"[1 2" + b" " * 500_000)

    with pytest.raises(AssociationError):
        list(Documents(source, "u", block=6000).batches())

    assert source.tell() <= 2 * 6000
