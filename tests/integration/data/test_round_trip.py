"""Prepare, a model, associate: the streaming code against the plainest one, on any table in any layout."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import AssociationError, InvalidInput
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

Row = tuple[str | None, str | None, str | None, int | None]
NAMES = ("id", "note", "text", "count")

anything = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
one_line = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=4)
rows = st.tuples(anything, anything, one_line, st.none() | st.integers(-(2**63), 2**63 - 1))
objects = st.lists(st.tuples(st.booleans(), st.lists(rows, max_size=12)), min_size=1, max_size=4).filter(
    lambda parts: any(rows for _, rows in parts)
)
layouts = st.fixed_dictionaries(
    {
        "shard_bytes": st.integers(1, 60),
        "shard_rows": st.none() | st.integers(1, 7),
        "min_shards": st.integers(1, 5),
    }
)


def as_csv(part: list[Row]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([NAMES, *part])
    return file.getvalue().encode()


def as_parquet(part: list[Row]) -> bytes:
    kinds = (pa.string(), pa.string(), pa.string(), pa.int64())
    columns = {name: pa.array([row[at] for row in part], kinds[at]) for at, name in enumerate(NAMES)}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, row_group_size=5)
    return file.getvalue()


def stored(parts: list[tuple[bool, list[Row]]]) -> InMemoryStore:
    store = InMemoryStore(buckets=["b"])
    for number, (is_csv, part) in enumerate(parts):
        uri = S3Uri("b", f"src/{number}." + ("csv" if is_csv else "parquet"))
        store.put(uri, as_csv(part) if is_csv else as_parquet(part))
    return store


def answer(cells: list[str]) -> tuple[int, str]:
    return zlib.crc32("\x1f".join(cells).encode()), cells[0]


def transform(store: InMemoryStore, prepared: PreparedInput, change: Callable[[list[str]], list[str]] = list) -> None:
    """Play a job: what a container does with each shard, record by record. `change` spoils the first output."""
    for number, found in enumerate(list(store.objects(S3Uri.parse(prepared.input)))):
        lines = []
        for record in store.get(found.uri).decode().removesuffix("\n").split("\n"):
            [cells] = csv.reader([record])
            file = io.StringIO(newline="")
            csv.writer(file, lineterminator="\n").writerow(answer(cells))
            lines.append(file.getvalue())
        body = "".join(change(lines) if number == 0 else lines)
        store.put(S3Uri("b", f"out/{found.uri.name}.out"), body.encode())


def result_of(prepared: PreparedInput) -> dict[str, Any]:
    return {
        "job_name": "j",
        "status": "Completed",
        "input": prepared.input,
        "output": "s3://b/out/",
        "prepared": prepared.manifest,
        "rows": prepared.rows,
        "objects": prepared.shards,
    }


def prepared_of(store: InMemoryStore, layout: dict[str, Any]) -> PreparedInput:
    options = {
        "source": "s3://b/src/",
        "output": "s3://b/in/",
        "columns": ["text", "count"],
        "keep": ["id", "note", "count"],
        "types": {"count": "int64"},
    }
    return prepare(store, PrepareRequest.read(options | layout))


def associated(store: InMemoryStore, prepared: PreparedInput) -> list[tuple[Any, ...]]:
    values = {
        "result": result_of(prepared),
        "output": "s3://b/scored/",
        "predictions": {"crc": "int64", "echo": "string"},
    }
    associate(store, AssociateRequest.read(values))
    parts = [found.uri for found in store.objects(S3Uri("b", "scored/part-"))]
    table = pa.concat_tables(pq.read_table(io.BytesIO(store.get(uri))) for uri in parts)
    return list(zip(*(table[name].to_pylist() for name in ("id", "note", "count", "crc", "echo")), strict=True))


def expected(parts: list[tuple[bool, list[Row]]]) -> list[tuple[Any, ...]]:
    """Do the same in memory, row by row: CSV has no nulls in its text."""
    scored = []
    for is_csv, part in parts:
        for key, note, text, count in part:
            known = (key or "", note or "") if is_csv else (key, note)
            cells = [text or "", "" if count is None else str(count)]
            scored.append((*known, count, *answer(cells)))
    return scored


@settings(deadline=None, max_examples=150)
@given(objects, layouts)
def test_every_row_comes_back_in_order_beside_its_answer(
    parts: list[tuple[bool, list[Row]]], layout: dict[str, Any]
) -> None:
    store = stored(parts)

    prepared = prepared_of(store, layout)
    transform(store, prepared)

    assert prepared.rows == sum(len(part) for _, part in parts)
    assert associated(store, prepared) == expected(parts)


@settings(deadline=None, max_examples=50)
@given(objects, layouts)
def test_a_rerun_gives_the_same_bytes_whatever_lay_there(
    parts: list[tuple[bool, list[Row]]], layout: dict[str, Any]
) -> None:
    once, twice = stored(parts), stored(parts)
    prepared_of(twice, {"shard_rows": 1})
    for store in (once, twice):
        prepared = prepared_of(store, layout)
        transform(store, prepared)
        associated(store, prepared)
    associated(twice, prepared)

    assert twice.bodies == once.bodies


SPOILED: dict[str, Callable[[list[str], int], list[str]]] = {
    "dropped": lambda lines, at: lines[:at] + lines[at + 1 :],
    "doubled": lambda lines, at: lines[: at + 1] + lines[at:],
    "extra": lambda lines, at: [*lines[:at], "0,new\n", *lines[at:]],
    "merged": lambda lines, at: [*lines[:at], lines[at].rstrip("\n") + "," + "".join(lines[at + 1 :])],
    "emptied": lambda lines, at: [*lines[:at], "\n", *lines[at + 1 :]],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
@settings(deadline=None, max_examples=40)
@given(objects, layouts, st.data())
def test_a_line_too_few_or_too_many_is_always_found(
    spoil: Callable[[list[str], int], list[str]],
    parts: list[tuple[bool, list[Row]]],
    layout: dict[str, Any],
    data: st.DataObject,
) -> None:
    store = stored(parts)
    prepared = prepared_of(store, layout)
    transform(store, prepared, lambda lines: spoil(lines, data.draw(st.integers(0, len(lines) - 1))))

    with pytest.raises((AssociationError, InvalidInput)):
        associated(store, prepared)
    assert list(store.objects(S3Uri("b", "scored/"))) == []
