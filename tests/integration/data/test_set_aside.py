"""Tables with any damage, in any dialect and layout: every row is in a shard or set aside, as plain code says."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.errors import InvalidData, TooManyQuarantined
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

NAMES = ("id", "count", "note")


@dataclass(frozen=True)
class Record:
    """One record: the texts of its cells, or other bytes that stand in their place. `is_whole` is what it should be."""

    cells: tuple[str, str, str]
    raw: bytes | None = None

    @property
    def is_whole(self) -> bool:
        key, count, note = self.cells
        return self.raw is None and key != "" and _is_int64(count) and "\n" not in note and "\r" not in note

    @property
    def prepared(self) -> tuple[str, str, str]:
        key, count, note = self.cells
        return key, "0" if count == "" else str(int(count)), note


def _is_int64(text: str) -> bool:
    return text == "" or (text.lstrip("-").isdecimal() and -(2**63) <= int(text) < 2**63)


texts = st.text(st.sampled_from("ab,;'\" ä€"), max_size=4)
keys = st.text(st.sampled_from("ab,;'\"ä"), max_size=3)
notes = texts | st.sampled_from(["x\ny", "x\ry", "\r\n"])
counts = (
    st.integers(-(2**63), 2**63 - 1).map(str) | st.sampled_from(["", "007", "x", "1.5", "9223372036854775808", "-"])
)  # fmt: skip
cells = st.tuples(keys, counts, notes)
objects = st.lists(
    st.tuples(
        st.sampled_from(["csv", "jsonlines", "parquet"]),
        st.booleans(),
        st.lists(st.builds(Record, cells) | st.builds(Record, cells, st.binary(min_size=1, max_size=6)), max_size=9),
    ),
    min_size=1,
    max_size=3,
)
layouts = st.fixed_dictionaries(
    {"shard_bytes": st.integers(1, 60), "shard_rows": st.none() | st.integers(1, 5), "min_shards": st.integers(1, 4)}
)
dialects = st.fixed_dictionaries({"delimiter": st.sampled_from(",;"), "quote": st.sampled_from("\"'")})


def as_csv(part: list[Record], dialect: dict[str, str]) -> bytes:
    file = io.BytesIO()
    for record in [Record(NAMES), *part]:
        line = io.StringIO(newline="")
        writer = csv.writer(line, delimiter=dialect["delimiter"], quotechar=dialect["quote"], quoting=csv.QUOTE_ALL)
        writer.writerow(record.cells)
        # Damage of another kind than too few cells: a lone cell, with what is no UTF-8.
        file.write(line.getvalue().encode() if record.raw is None else b"\xff" + record.raw.hex().encode() + b"\r\n")
    return file.getvalue()


def as_json(part: list[Record], _: dict[str, str]) -> bytes:
    lines = []
    for record in part:
        key, count, note = record.cells
        is_number = count.lstrip("-").isdecimal() and count != "007"
        value: Any = None if count == "" else int(count) if is_number else 7 if count == "007" else count
        line = json.dumps({"note": note, "id": key or None, "count": value, "more": [1]})
        lines.append(line.encode() if record.raw is None else b"\xff" + record.raw.replace(b"\n", b""))
    # What members there are is seen by the first line, in any case.
    return b"\n".join([json.dumps({"id": "first", "count": 1, "note": ""}).encode(), *lines])


def as_parquet(part: list[Record], _: dict[str, str]) -> bytes:
    columns = {
        "id": [None if record.raw else record.cells[0] or None for record in part],
        "count": [record.cells[1] or None for record in part],
        "note": [record.cells[2] for record in part],
    }
    file = io.BytesIO()
    pq.write_table(pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()}), file)
    return file.getvalue()


WRITE: dict[str, Callable[[list[Record], dict[str, str]], bytes]] = {
    "csv": as_csv, "jsonlines": as_json, "parquet": as_parquet,
}  # fmt: skip
ENDINGS = {"csv": "csv", "jsonlines": "jsonl", "parquet": "parquet"}
FIRST = Record(("first", "1", ""))
Parts = list[tuple[str, bool, list[Record]]]


def stored(parts: Parts, dialect: dict[str, str]) -> InMemoryStore:
    store = InMemoryStore(buckets=["b"])
    for number, (form, packed, part) in enumerate(parts):
        body, name = WRITE[form](part, dialect), f"src/{number}.{ENDINGS[form]}"
        if packed and form != "parquet":
            body, name = gzip.compress(body, mtime=0), name + ".gz"
        store.put(S3Uri("b", name), body)
    return store


def numbered(parts: Parts) -> list[tuple[int, int, Record]]:
    """Every record, with the number of its object and its own."""
    rows = [(at, [FIRST, *part] if form == "jsonlines" else part) for at, (form, _, part) in enumerate(parts)]
    return [(at, number, record) for at, part in rows for number, record in enumerate(part, 1)]


def prepared(store: InMemoryStore, options: dict[str, Any]) -> PreparedInput:
    values = {
        "source": "s3://b/src/", "output": "s3://b/in/", "columns": ["count", "note"], "keep": ["id"],
        "types": {"count": "int64"}, "fill": {"count": 0}, "required": ["id"], **options,
    }  # fmt: skip
    return prepare(store, PrepareRequest.read(values))


def shards(store: InMemoryStore) -> list[list[str]]:
    found = [store.get(one.uri).decode() for one in store.objects(S3Uri("b", "in/shards/"))]
    return [row for body in found for row in csv.reader(io.StringIO(body, newline=""))]


def table(store: InMemoryStore, folder: str) -> list[dict[str, Any]]:
    found = [store.get(one.uri) for one in store.objects(S3Uri("b", f"in/{folder}/"))]
    return [row for body in found for row in pq.read_table(io.BytesIO(body)).to_pylist()]


@settings(deadline=None, max_examples=150)
@given(objects, layouts, dialects, st.sampled_from([20, "100%"]))
def test_every_row_is_in_a_shard_or_set_aside(
    parts: Parts, layout: dict[str, Any], dialect: dict[str, str], allowed: Any
) -> None:
    store = stored(parts, dialect)
    records = numbered(parts)
    whole = [record.prepared for _, _, record in records if record.is_whole]
    aside = [(at, number) for at, number, record in records if not record.is_whole]
    options = {**layout, **dialect, "max_quarantined": allowed}
    if not whole or (allowed == 20 and len(aside) > 20):
        with pytest.raises(InvalidData):
            prepared(store, options)
        return

    told = prepared(store, options)

    assert (told.rows, told.quarantined) == (len(whole), len(aside))
    kept = [row["id"] for row in table(store, "kept")]
    assert [(key, *row) for key, row in zip(kept, shards(store), strict=True)] == whole
    found = [
        (int(row["source"].removeprefix("s3://b/src/").partition(".")[0]), row["row"])
        for row in table(store, "quarantine")
    ]
    assert found == aside


@settings(deadline=None, max_examples=50)
@given(objects, layouts, dialects)
def test_a_rerun_writes_the_same_bytes(parts: Parts, layout: dict[str, Any], dialect: dict[str, str]) -> None:
    store = stored(parts, dialect)
    options = {**layout, **dialect, "max_quarantined": "100%"}
    if not any(record.is_whole for _, _, record in numbered(parts)):
        return

    prepared(store, options)
    before = dict(store.bodies)
    prepared(store, options)

    assert store.bodies == before


@settings(deadline=None, max_examples=80)
@given(objects, layouts, dialects, st.integers(0, 3))
def test_too_many_leave_no_shards(parts: Parts, layout: dict[str, Any], dialect: dict[str, str], allowed: int) -> None:
    records = numbered(parts)
    aside = sum(not record.is_whole for _, _, record in records)
    if aside <= allowed or aside == len(records):
        return
    store = stored(parts, dialect)

    with pytest.raises(InvalidData) as caught:
        prepared(store, {**layout, **dialect, "max_quarantined": allowed})

    left = [found.uri.key for found in store.objects(S3Uri("b", "in/"))]
    assert isinstance(caught.value, TooManyQuarantined) == bool(allowed)
    assert left == (["in/quarantine/part-00000.parquet"] if allowed else [])
    assert len(table(store, "quarantine")) > allowed or not allowed
