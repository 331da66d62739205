"""What prepare writes for a model: JSON Lines, and shards that suit the job."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.errors import InvalidData, InvalidInput
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import JSON_LINES, PrepareRequest
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

TABLE = pa.table(
    {
        "id": [7, 2**63 - 1],
        "name": ['An "Ann"', None],
        "price": [Decimal("1.10"), Decimal("0.05")],
        "tags": [["a", "b"], []],
    }
)


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def run(store: InMemoryStore, **options: Any) -> PreparedInput:
    return prepare(store, PrepareRequest.read({"source": "s3://b/src/", "output": "s3://b/in/", **options}))


def of(table: pa.Table) -> InMemoryStore:
    return InMemoryStore({"s3://b/src/a.parquet": parquet(table)})


def shards(store: InMemoryStore) -> dict[str, bytes]:
    return {one.uri.name: store.get(one.uri) for one in store.objects(S3Uri("b", "in/shards/"))}


# ------------------------------------------------------------------------------------------------------- JSON Lines


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {},
            b'{"name":"An \\"Ann\\"","price":1.10,"tags":["a","b"]}\n{"name":null,"price":0.05,"tags":[]}\n',
        ),
        ({"record": "array"}, b'["An \\"Ann\\"",1.10,["a","b"]]\n[null,0.05,[]]\n'),
        (
            {"record": "features", "columns": ["id", "price"]},
            b'{"features":[7,1.10]}\n{"features":[9223372036854775807,0.05]}\n',
        ),
    ],
    ids=["object", "array", "features"],
)
def test_rows_become_json_lines(options: dict[str, Any], expected: bytes) -> None:
    store = of(TABLE)

    prepared = run(store, keep=["id"], content_type="application/jsonlines", **options)

    assert shards(store) == {"part-00000.jsonl": expected}
    assert store.content_types[S3Uri("b", "in/shards/part-00000.jsonl")] == "application/jsonlines"
    assert (prepared.content_type, prepared.split_type, prepared.assemble_with) == (
        "application/jsonlines", "Line", "Line",
    )  # fmt: skip


def test_a_rerun_in_another_form_leaves_nothing_of_the_first() -> None:
    store = of(TABLE.drop_columns(["tags"]))
    run(store, content_type="application/jsonlines", shard_rows=1)
    run(store)

    assert list(shards(store)) == ["part-00000.csv"]


def test_what_is_no_number_of_json_is_named() -> None:
    store = of(pa.table({"x": [[1.0], [float("nan")]], "y": [1.0, float("inf")]}))

    with pytest.raises(InvalidData) as caught:
        run(store, content_type="application/jsonlines")

    assert [problem.field for problem in caught.value.problems] == [
        "s3://b/src/a.parquet, row 2, column 'x'", "s3://b/src/a.parquet, row 2, column 'y'",
    ]  # fmt: skip
    assert all("JSON" in problem.rule for problem in caught.value.problems)


def test_what_no_json_holds_is_refused_by_name() -> None:
    store = of(pa.table({"x": [1], "raw": [b"x"]}))

    with pytest.raises(InvalidData) as caught:
        run(store, content_type="application/jsonlines")

    assert [problem.field for problem in caught.value.problems] == ["s3://b/src/a.parquet, column 'raw'"]
    assert "JSON" in caught.value.problems[0].rule


def test_line_breaks_are_no_trouble_in_json() -> None:
    store = InMemoryStore({"s3://b/src/a.csv": b'x\n"a\r\nb"\n'})
    run(store, content_type="application/jsonlines")

    [body] = shards(store).values()
    assert (body.count(b"\n"), json.loads(body)) == (1, {"x": "a\r\nb"})


ANY_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(-(2**63), 2**63 - 1),
            "text": st.none() | st.text(st.characters(codec="utf-8"), max_size=4),
            "price": st.none() | st.decimals(-(10**8), 10**8, places=2),
            "tags": st.none() | st.lists(st.none() | st.text('a"\\\n', max_size=2), max_size=3),
        }
    ),
    min_size=1,
    max_size=12,
)
ANY_KINDS = pa.schema(
    [("id", pa.int64()), ("text", pa.string()), ("price", pa.decimal128(12, 2)), ("tags", pa.list_(pa.string()))]
)


@settings(deadline=None, max_examples=60)
@given(
    objects=st.lists(ANY_ROWS, min_size=1, max_size=3),
    layout=st.fixed_dictionaries(
        {
            "shard_bytes": st.integers(1, 300),
            "shard_rows": st.none() | st.integers(1, 5),
            "min_shards": st.integers(1, 4),
        }
    ),
    record=st.sampled_from(["object", "array", "features"]),
)
def test_every_value_is_read_back_in_any_layout(
    objects: list[list[dict[str, Any]]], layout: dict[str, Any], record: str
) -> None:
    tables = [parquet(pa.Table.from_pylist(rows, schema=ANY_KINDS)) for rows in objects]
    store = InMemoryStore({f"s3://b/src/{at}.parquet": body for at, body in enumerate(tables)})

    run(store, keep=["id"], columns=["text", "price", "tags", "id"], content_type=JSON_LINES, record=record, **layout)

    lines = b"".join(shards(store).values()).decode().removesuffix("\n").split("\n")
    read = [json.loads(line, parse_float=Decimal) for line in lines]
    take: dict[str, Any] = {"object": lambda one: list(one.values()), "features": lambda one: one["features"]}
    cells = [take.get(record, list)(one) for one in read]
    rows = [row for part in objects for row in part]
    assert cells == [[row["text"], row["price"], row["tags"], row["id"]] for row in rows]
    kept = [store.get(one.uri) for one in store.objects(S3Uri("b", "in/kept/"))]
    ids = [key for body in kept for key in pq.read_table(io.BytesIO(body))["id"].to_pylist()]
    assert ids == [row["id"] for row in rows]


# ---------------------------------------------------------------------------------------------------- planned shards


def manifest(store: InMemoryStore) -> PreparedManifest:
    return PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))


def test_shards_are_planned_by_the_job_and_say_why() -> None:
    count, width = 50_000, 100
    store = of(pa.table({"x": [f"{number:0{width}}" for number in range(count)]}))

    run(store, instance_count=2, max_payload_in_mb=1)

    sizes = [len(body) for body in shards(store).values()]
    # About 5 MB, and a megabyte for a request: no more goes into a shard, and each instance has several.
    assert max(sizes) <= 1024 * 1024
    assert len(sizes) >= 5
    assert any("1 x 1 MiB of requests are full" in reason for reason in manifest(store).why)
    assert any("dealt to the 2 instances" in reason for reason in manifest(store).why)


def test_every_instance_gets_a_shard() -> None:
    store = InMemoryStore({"s3://b/src/a.csv": b"x\n" + b"1\n" * 100})
    run(store, instance_count=4)

    assert [body.count(b"\n") for body in shards(store).values()] == [25] * 4


def test_a_row_that_no_request_takes_is_told_of() -> None:
    store = InMemoryStore({"s3://b/src/a.csv": b"x\n" + b"1" * (1024 * 1024 + 1) + b"\n"})
    run(store, max_payload_in_mb=1)

    assert any("A row has 1,048,577 bytes" in reason for reason in manifest(store).why)


# -------------------------------------------------------------------------------------------------------- the options


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"content_type": "csv"}, ["content_type"]),
        ({"content_type": "image/png", "columns": ["x"], "keep": ["y"], "shard_rows": 2, "shard_bytes": 9},
            ["columns", "keep", "shard_rows", "shard_bytes"]),
        ({"include": "*.png", "exclude": ["x"], "keep_from": "s3://b/t.csv"}, ["include", "exclude", "keep_from"]),
        ({"record": "array"}, ["record"]),
        ({"record": "rows", "content_type": "application/jsonlines"}, ["record"]),
        ({"instance_count": 0, "max_payload_in_mb": -1, "max_concurrent_transforms": "x"},
            ["instance_count", "max_payload_in_mb", "max_concurrent_transforms"]),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_go_together_is_refused(values: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        run(InMemoryStore(), **values)

    assert sorted(problem.field for problem in caught.value.problems) == sorted(fields)


@pytest.mark.parametrize(
    ("content_type", "name"),
    [("text/csv; charset=utf-8", "part-00000.csv"), ("application/x-jsonlines", "part-00000.jsonl")],
)
def test_a_media_type_may_be_written_in_other_ways(content_type: str, name: str) -> None:
    store = InMemoryStore({"s3://b/src/a.csv": b"x\n1\n"})
    prepared = run(store, content_type=content_type)

    assert (prepared.content_type, prepared.split_type) == (content_type, "Line")
    assert list(shards(store)) == [name]
