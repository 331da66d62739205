"""Answers in every shape against the plainest reader: the whole table in memory, row by row, for any layout."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import AmbiguousAnswer, AssociationError, InvalidInput
from airflow_batchtx.records import recordio
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

Row = tuple[str, int]
Answer = tuple[float, str, bool]
# The rows of one object, each with its answer, and how many of them go in one request.
Object = tuple[list[tuple[Row, Answer]], int]

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=4)
rows = st.tuples(texts, st.integers(-(2**63), 2**63 - 1))
answers = st.tuples(st.floats(allow_nan=False, allow_infinity=False), texts, st.booleans())
objects = st.lists(
    st.tuples(st.lists(st.tuples(rows, answers), min_size=1, max_size=12), st.integers(1, 5)), min_size=1, max_size=4
)


def as_csv(lines: Sequence[Sequence[Any]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(lines)
    return file.getvalue()


def member(answer: Answer) -> dict[str, Any]:
    return dict(zip(("score", "label", "sure"), answer, strict=True))


def requests(told: Sequence[Answer], size: int) -> Iterator[Sequence[Answer]]:
    """Deal answers to requests, as MultiRecord does."""
    for start in range(0, len(told), size):
        yield told[start : start + size]


def framed(told: Sequence[Answer], _size: int) -> bytes:
    bodies = [json.dumps(member(answer)).encode() for answer in told]
    heads = [recordio.MAGIC.to_bytes(4, "little") + len(body).to_bytes(4, "little") for body in bodies]
    return b"".join(head + body + bytes(-len(body) % 4) for head, body in zip(heads, bodies, strict=True))


def glued(told: Sequence[Answer], size: int, shape: Callable[[list[Any]], Any], between: str = "") -> bytes:
    return between.join(json.dumps(shape([*map(member, part)])) for part in requests(told, size)).encode()


# How a container answers: its media type, what is said of its answers, and its answers to requests of so many records.
SHAPES: Mapping[str, tuple[str, str | None, Callable[[Sequence[Answer], int], bytes]]] = {
    "csv": ("text/csv", None, lambda told, _: as_csv(told).encode()),
    "lines": ("application/jsonlines", None, lambda told, _: glued(told, 1, lambda part: part[0], "\n")),
    "lists": ("application/json", "array", lambda told, size: glued(told, size, list)),
    "members": (
        "application/json",
        "a.b",
        lambda told, size: glued(told, size, lambda part: {"x": 1, "a": {"b": part}}),
    ),
    "recordio": ("application/x-recordio-protobuf", None, framed),
}


def store_of(
    parts: Sequence[Object], shape: str, spoil: Callable[[list[Answer]], list[Answer]] = list
) -> InMemoryStore:
    store = InMemoryStore(buckets=["b"])
    for number, (part, size) in enumerate(parts):
        told = [answer for _, answer in part]
        store.put(S3Uri("b", f"in/{number}"), as_csv([row for row, _ in part]).encode())
        body = SHAPES[shape][2](spoil(told) if number == 0 else told, size)
        store.put(S3Uri("b", f"out/{number}.out"), body)
    return store


def scored(store: InMemoryStore, shape: str, **options: Any) -> list[tuple[Any, ...]]:
    accept, answer, _ = SHAPES[shape]
    values = {"input": "s3://b/in/", "answers": "s3://b/out/", "accept": accept, "answer": answer, "split_type": "Line"}
    named = ["score", "label", "sure"] if shape == "csv" else None
    values |= {"output": "s3://b/scored/", "input_columns": ["id", "x"], "predictions": named} | options
    associate(store, AssociateRequest.read(values))
    parts = [found.uri for found in store.objects(S3Uri("b", "scored/part-"))]
    table = pa.concat_tables(pq.read_table(io.BytesIO(store.get(uri))) for uri in parts)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def expected(parts: Sequence[Object], shape: str) -> list[tuple[Any, ...]]:
    known = [(row, answer) for part, _ in parts for row, answer in part]
    if shape == "recordio":
        return [(*row, json.dumps(member(answer))) for row, answer in known]
    return [(*row, *answer) for row, answer in known]


def alike(found: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> bool:
    """Compare tables whose columns may be text in the one and numbers in the other."""
    return len(found) == len(wanted) and all(
        same(one, other)
        for mine, theirs in zip(found, wanted, strict=True)
        for one, other in zip(mine, theirs, strict=True)
    )


def same(one: Any, other: Any) -> bool:
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return str(one).lower() == str(other).lower()


@pytest.mark.parametrize("shape", SHAPES)
@settings(deadline=None, max_examples=60)
@given(objects)
def test_every_row_stands_beside_its_answer_in_any_shape(shape: str, parts: list[Object]) -> None:
    assert alike(scored(store_of(parts, shape), shape), expected(parts, shape))


@pytest.mark.parametrize("shape", ["lines", "lists", "members"])
@settings(deadline=None, max_examples=60)
@given(objects)
def test_a_shape_that_nobody_said_is_found_or_said_to_be_ambiguous(shape: str, parts: list[Object]) -> None:
    with suppress(AmbiguousAnswer):
        assert alike(scored(store_of(parts, shape), shape, answer=None), expected(parts, shape))


SPOILED: dict[str, Callable[[list[Answer], int], list[Answer]]] = {
    "dropped": lambda told, at: told[:at] + told[at + 1 :],
    "doubled": lambda told, at: told[: at + 1] + told[at:],
    "extra": lambda told, at: [*told[:at], (0.5, "new", True), *told[at:]],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
@settings(deadline=None, max_examples=30)
@given(objects, st.data())
def test_an_answer_too_few_or_too_many_is_always_found(
    spoil: Callable[[list[Answer], int], list[Answer]], shape: str, parts: list[Object], data: st.DataObject
) -> None:
    store = store_of(parts, shape, lambda told: spoil(told, data.draw(st.integers(0, len(told) - 1))))

    with pytest.raises((AssociationError, InvalidInput)):
        scored(store, shape)
    assert list(store.objects(S3Uri("b", "scored/"))) == []


# -------------------------------------------------------------------------------------------------------- by key

keyed = st.lists(
    st.lists(st.tuples(texts, st.integers(0, 9)), min_size=1, max_size=12, unique_by=lambda row: row[0]),
    min_size=1, max_size=3,
)  # fmt: skip


def in_other_order(parts: list[list[tuple[str, int]]], told: list[list[tuple[str, int]]], form: str) -> InMemoryStore:
    store = InMemoryStore(buckets=["b"])
    for number, (sent, answer) in enumerate(zip(parts, told, strict=True)):
        store.put(S3Uri("b", f"in/{number}"), as_csv([[key] for key, _ in sent]).encode())
        lines = [json.dumps({"id": key, "score": score}) + "\n" for key, score in answer]
        body = as_csv(answer).encode() if form == "text/csv" else "".join(lines).encode()
        store.put(S3Uri("b", f"out/{number}.out"), body)
    return store


def by_key(store: InMemoryStore, form: str) -> list[tuple[Any, ...]]:
    values = {"input": "s3://b/in/", "answers": "s3://b/out/", "accept": form, "output": "s3://b/scored/", "key": "id"}
    values |= {"input_columns": ["id"], "predictions": {"id": "string", "score": "int64"}}
    associate(store, AssociateRequest.read(values))
    parts = [found.uri for found in store.objects(S3Uri("b", "scored/part-"))]
    found = [pq.read_table(io.BytesIO(store.get(uri))) for uri in parts]
    return [pair for table in found for pair in zip(table["id"].to_pylist(), table["score"].to_pylist(), strict=True)]


@pytest.mark.parametrize("form", ["text/csv", "application/jsonlines"])
@settings(deadline=None, max_examples=60)
@given(keyed, st.data())
def test_answers_of_any_order_come_to_their_keys(form: str, parts: Any, data: st.DataObject) -> None:
    told = [data.draw(st.permutations(part)) for part in parts]

    assert by_key(in_other_order(parts, told, form), form) == [row for part in parts for row in part]


@pytest.mark.parametrize("change", ["dropped", "doubled", "renamed"])
@settings(deadline=None, max_examples=40)
@given(keyed, st.data())
def test_a_key_too_few_or_too_many_is_always_found(change: str, parts: Any, data: st.DataObject) -> None:
    told = [list(data.draw(st.permutations(part))) for part in parts]
    at = data.draw(st.integers(0, len(told[0]) - 1))
    key, score = told[0][at]
    told[0][at : at + 1] = {"dropped": [], "doubled": [(key, score)] * 2, "renamed": [(f"{key} other key", score)]}[
        change
    ]

    with pytest.raises(AssociationError):
        by_key(in_other_order(parts, told, "text/csv"), "text/csv")
