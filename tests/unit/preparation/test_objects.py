"""Objects that are sent whole: what is chosen, listed and kept of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import InvalidData, Problem
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

IMAGES = {"s3://b/img/a.png": b"aa", "s3://b/img/deep/b.png": b"bbb", "s3://b/img/c.jpg": b"c"}


class Unread(InMemoryStore):
    """Says which objects were read."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        super().__init__(objects)
        self.read: set[str] = set()

    def get(self, uri: S3Uri) -> bytes:
        self.read.add(str(uri))
        return super().get(uri)

    def stat(self, uri: S3Uri) -> Any:
        found = super().stat(uri)
        self.read.discard(str(uri))
        return found


def run(store: InMemoryStore, **options: Any) -> PreparedInput:
    values = {"source": "s3://b/img/", "output": "s3://b/in/", "content_type": "image/png", **options}
    return prepare(store, PrepareRequest.read(values))


def problems(store: InMemoryStore, **options: Any) -> list[Problem]:
    with pytest.raises(InvalidData) as caught:
        run(store, **options)
    assert not list(store.objects(S3Uri("b", "in/")))
    return list(caught.value.problems)


def manifest(store: InMemoryStore) -> PreparedManifest:
    return PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))


def kept(store: InMemoryStore) -> pa.Table:
    return pq.read_table(io.BytesIO(store.get(S3Uri("b", "in/kept/part-00000.parquet"))))


def paths(store: InMemoryStore) -> list[str]:
    return [shard.uri.removeprefix("s3://b/") for shard in manifest(store).shards]


def test_objects_are_the_shards_and_stay_where_they_are() -> None:
    store = Unread(IMAGES)
    prepared = run(store)

    assert prepared == PreparedInput(
        input="s3://b/img/",
        manifest="s3://b/in/manifest.json",
        content_type="image/png",
        split_type="None",
        assemble_with="None",
        shards=3,
        rows=3,
    )
    assert not store.read & set(IMAGES)
    assert {str(uri) for uri in store.bodies} - set(IMAGES) == {
        "s3://b/in/manifest.json", "s3://b/in/kept/part-00000.parquet",
    }  # fmt: skip


def test_each_is_listed_with_its_etag_and_its_row_of_the_kept_columns() -> None:
    store = InMemoryStore(IMAGES)
    run(store)

    table = kept(store)
    assert table.schema.types == [pa.string(), pa.int64(), pa.string(), pa.timestamp("us", "UTC")]
    for shard in manifest(store).shards:
        there = store.stat(S3Uri.parse(shard.uri))
        assert (shard.rows, shard.bytes, shard.sha256, shard.etag) == (1, there.size, None, there.etag)
        assert shard.kept == "s3://b/in/kept/part-00000.parquet"
        [row] = table.slice(shard.kept_row, 1).to_pylist()
        assert there.last_modified is not None
        assert row == {
            "object": shard.uri, "size": there.size, "etag": there.etag,
            "last_modified": there.last_modified.astimezone(timezone.utc),
        }  # fmt: skip
    assert manifest(store).kept == {name: str(table.schema.field(name).type) for name in table.column_names}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["img/a.png", "img/c.jpg", "img/deep/b.png"]),
        ({"include": "*.png"}, ["img/a.png", "img/deep/b.png"]),
        ({"exclude": ["deep/*", "*.jpg"]}, ["img/a.png"]),
        ({"source": ["s3://b/img/c.jpg", "s3://b/img/deep/"]}, ["img/c.jpg", "img/deep/b.png"]),
        ({"source": ["s3://b/img/_hidden/x.png", "s3://b/img/deep/"]}, ["img/_hidden/x.png", "img/deep/b.png"]),
    ],
    ids=str,
)
def test_objects_are_chosen(options: dict[str, Any], expected: list[str]) -> None:
    beside = ("_hidden/x.png", ".a.crc", "deep/_SUCCESS", "empty.png", "folder/")
    store = InMemoryStore(IMAGES | {f"s3://b/img/{name}": b"" if name in beside[3:] else b"x" for name in beside})
    prepared = run(store, **options)

    assert paths(store) == expected
    assert (prepared.rows, prepared.input) == (len(expected), "s3://b/img/")


def test_a_rerun_gives_the_same_bytes_whatever_lay_there() -> None:
    store = InMemoryStore({**IMAGES, "s3://b/t/a.csv": b"id,x\n1,2\n"})
    run(store)
    before = {uri: body for uri, body in store.bodies.items() if uri.key.startswith("in/")}
    run(store, source="s3://b/t/", content_type="text/csv", keep=["id"])
    run(store)

    assert {uri: body for uri, body in store.bodies.items() if uri.key.startswith("in/")} == before


# ------------------------------------------------------------------------------------------------- kept from a table


def labelled(body: bytes, name: str = "labels.csv") -> InMemoryStore:
    return InMemoryStore({**IMAGES, f"s3://b/t/{name}": body})


def test_what_a_table_tells_of_the_objects_is_kept_beside_them() -> None:
    store = labelled(b"label,object\ncat,deep/b.png\ndog,s3://b/img/a.png\nfox,c.jpg\n")
    run(store, keep_from="s3://b/t/labels.csv")

    assert kept(store).select(["object", "label"]).to_pydict() == {
        "object": ["s3://b/img/a.png", "s3://b/img/c.jpg", "s3://b/img/deep/b.png"],
        "label": ["dog", "fox", "cat"],
    }
    assert [one.uri for one in manifest(store).source] == ["s3://b/t/labels.csv"]


def test_its_types_may_be_given_and_others_stay() -> None:
    store = labelled(b"object,id\na.png,7\nc.jpg,8\ndeep/b.png,9\n")
    run(store, keep_from="s3://b/t/labels.csv", types={"id": "int64"})
    assert kept(store)["id"].to_pylist() == [7, 8, 9]

    file = io.BytesIO()
    table = pa.table({"object": ["a.png", "deep/b.png", "c.jpg"], "boxes": [[[1, 2]], [], None]})
    pq.write_table(table, file)
    store = labelled(file.getvalue(), "labels.parquet")
    run(store, keep_from="s3://b/t/labels.parquet")
    assert kept(store)["boxes"].to_pylist() == [[[1, 2]], None, []]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"name,id\na.png,1\n", {"keep_from": "s3://b/t/labels.csv"}),
        (b"object,size\na.png,1\n", {"keep_from": ["size"]}),
        (
            b"object,id\na.png,1\ns3://b/img/a.png,2\nnone.png,3\nc.jpg,4\n",
            {"s3://b/t/labels.csv, row 3": "none.png", "keep_from": "s3://b/img/deep/b.png"},
        ),
    ],
    ids=["no object", "own column", "not one for one"],
)
def test_a_table_that_does_not_fit_is_refused(body: bytes, wrong: dict[str, object]) -> None:
    found = problems(labelled(body), keep_from="s3://b/t/labels.csv")

    assert {problem.field: problem.value for problem in found} == wrong


@given(st.permutations(sorted(IMAGES)), st.data())
def test_only_one_row_for_each_object_will_do(order: list[str], data: st.DataObject) -> None:
    rows = [f"{uri},{uri[-5]}" for uri in order]
    spoil = data.draw(st.sampled_from(["", "drop", "double", "add"]))
    at = data.draw(st.integers(0, len(rows) - 1))
    if spoil:
        rows = {"drop": rows[:at] + rows[at + 1 :], "double": [*rows, rows[at]], "add": [*rows, "s3://b/x,x"]}[spoil]
    store = labelled("\n".join(["object,letter", *rows, ""]).encode())

    if spoil:
        assert problems(store, keep_from="s3://b/t/labels.csv")
    else:
        run(store, keep_from="s3://b/t/labels.csv")
        assert kept(store)["letter"].to_pylist() == ["a", "c", "b"]


# ----------------------------------------------------------------------------------------------- what cannot be sent


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({"source": ["s3://b/img/none.png", "s3://b/img/no.png"]}, ["s3://b/img/none.png", "s3://b/img/no.png"]),
        ({"source": "s3://nowhere/"}, ["s3://nowhere/"]),
        ({"source": ["s3://b/img/", "s3://c/"]}, [["b", "c"]]),
        ({"source": "s3://b/none/"}, [["s3://b/none/"]]),
        ({"include": "*.gif"}, [["s3://b/img/"]]),
        ({"source": "s3://b/empty.png"}, ["s3://b/empty.png", ["s3://b/empty.png"]]),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_told(options: dict[str, Any], values: list[object]) -> None:
    store = InMemoryStore({**IMAGES, "s3://b/empty.png": b"", "s3://c/x.png": b"x"})

    assert [problem.value for problem in problems(store, **options)] == values
