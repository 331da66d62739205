"""JSON comes out as the json module would write it, but for numbers, which stay as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import CountMismatch, MalformedRecord
from airflow_batchtx.records import jsonpath, jsontext
from airflow_batchtx.records.jsonformat import JSON, JSON_LINES

ROOT = jsonpath.parsed("$")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(TEXTS, DOCUMENTS, max_size=4)
LAYOUTS = st.sampled_from([{}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"indent": 1}])
LINE_LAYOUTS = LAYOUTS.filter(lambda layout: "indent" not in layout)


def canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(document=DOCUMENTS, layout=LAYOUTS)
def test_documents_are_written_compact_and_sorted(document: Any, layout: dict[str, Any]) -> None:
    assert jsontext.text(jsontext.value(json.dumps(document, **layout), "input")) == canonical(document)


@given(number=st.from_regex(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", fullmatch=True))
def test_numbers_stay_the_text_that_they_were(number: str) -> None:
    for text in (number, f"[{number}]", f'[1,"x",{number}]', f'{{"n":{number}}}'):
        assert jsontext.text(jsontext.value(text, "input")) == text.encode()


@given(documents=st.lists(DOCUMENTS.filter(lambda document: isinstance(document, (dict, list, str)))), layout=LAYOUTS)
def test_documents_in_a_row_are_read_one_by_one(documents: list[Any], layout: dict[str, Any]) -> None:
    text = "".join(json.dumps(document, **layout) for document in documents)

    assert [jsontext.text(found) for found in jsontext.values(text, "input")] == list(map(canonical, documents))


@given(pairs=st.lists(st.tuples(DOCUMENTS, DOCUMENTS), max_size=6), layout=LINE_LAYOUTS, ended=st.booleans())
def test_a_join_is_the_join_of_the_documents(pairs: list[tuple[Any, Any]], layout: dict[str, Any], ended: bool) -> None:
    asked, told = (b"".join(json.dumps(pair[side], **layout).encode() + b"\n" for pair in pairs) for side in (0, 1))
    joined = [
        {**(left if isinstance(left, dict) else {"SageMakerInput": left}), "SageMakerOutput": right}
        for left, right in pairs
    ]

    out = JSON_LINES.joined(asked if ended else asked.removesuffix(b"\n"), told, ROOT)

    assert out == b"\n".join(map(canonical, joined))


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
FLAT = st.dictionaries(TEXTS, PLAIN | TEXTS | st.lists(PLAIN | TEXTS, max_size=3), max_size=4)


@given(pairs=st.lists(st.tuples(FLAT, FLAT | PLAIN | st.lists(PLAIN)), max_size=6), layout=LINE_LAYOUTS)
def test_the_short_way_of_a_join_is_no_other_join(pairs: list[tuple[Any, Any]], layout: dict[str, Any]) -> None:
    asked, told = (b"".join(json.dumps(pair[side], **layout).encode() + b"\n" for pair in pairs) for side in (0, 1))
    long_way = replace(JSON_LINES, paired=lambda *_: None)

    assert JSON_LINES.joined(asked, told, ROOT) == long_way.joined(asked, told, ROOT)


@pytest.mark.parametrize(
    "line",
    [
        b'{"b":-0,"a":[1e400, -0.0,123456789012345678901], "A": 1.50}',
        b'{"\xc3\xa9":" : , ","\xf0\x9f\x98\x80":"x"}\r',
        b'{"a":1,"a":2,"SageMakerOutput":3}', b" {}", b'{"a":"/\x7f\xe2\x80\xa8"}',
    ],
)  # fmt: skip
def test_the_short_way_leaves_what_stands_there(line: bytes) -> None:
    long_way = replace(JSON_LINES, paired=lambda *_: None)

    assert JSON_LINES.joined(line + b"\n", b"[1, -0]", ROOT) == long_way.joined(line + b"\n", b"[1, -0]", ROOT)


@pytest.mark.parametrize(
    "line", [b'{"a":1 2}', b'{"a":[1, 2, ]}', b'{"a" "b"}', b'{"a":"\xff"}', b'{"a":tr ue}', b'{"a"']
)
def test_the_short_way_takes_nothing_that_is_no_json(line: bytes) -> None:
    with pytest.raises(MalformedRecord):
        JSON_LINES.joined(line + b'\n{"a":" "}\n', b"1\n2\n", ROOT)


@given(records=st.lists(OBJECTS.map(lambda document: {**document, "kept": 1}), max_size=6))
def test_a_filter_is_the_filter_of_the_documents(records: list[dict[str, Any]]) -> None:
    payload = b"".join(canonical(record) + b"\n" for record in records)

    assert JSON_LINES.filtered(payload, jsonpath.parsed("$.kept"), "input") == b"1\n" * len(records)


@given(sent=st.integers(0, 4), answered=st.integers(0, 4))
def test_unequal_counts_are_told(sent: int, answered: int) -> None:
    if sent == answered:
        answered += 1

    for kind in (JSON, JSON_LINES):
        with pytest.raises(CountMismatch) as caught:
            kind.joined(b"{}\n" * sent, b"[]\n" * answered, ROOT)
        assert (caught.value.sent, caught.value.answered) == (sent, answered)


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", "{'a':1}", "nul", "NaN", "-Infinity", "01", "1.", '"\t"', "[" * 99_999]
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(MalformedRecord, match="Failed to parse input as JSON"):
        jsontext.value(text, "input")
    with pytest.raises(MalformedRecord, match="Failed to parse input as JSON"):
        JSON_LINES.joined(f'{{"a":{text}}}\n'.encode(), b"1\n", ROOT)
    if text:
        with pytest.raises(MalformedRecord, match="Failed to parse input as JSON"):
            jsontext.values(text, "input")


def test_a_long_culprit_is_shown_in_part() -> None:
    with pytest.raises(MalformedRecord) as caught:
        jsontext.value("x" * 10_000, "input")

    assert len(caught.value.detail) < 300
