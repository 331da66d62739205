from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.errors import InvalidData, Problem, StorageError
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore
from tests.tables import corrupt_parquet

CSV = b"id,x,name\n007,1.10,Ann\n8,,Bob\n"


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def in_source(**bodies: bytes) -> InMemoryStore:
    return InMemoryStore({f"s3://b/src/{name.replace('__', '.')}": body for name, body in bodies.items()})


def run(store: InMemoryStore, **options: Any) -> PreparedInput:
    return prepare(store, PrepareRequest.read({"source": "s3://b/src/", "output": "s3://b/in/", **options}))


def problems(store: InMemoryStore, **options: Any) -> list[Problem]:
    with pytest.raises(InvalidData) as caught:
        run(store, **options)
    assert not written(store)
    return list(caught.value.problems)


def written(store: InMemoryStore) -> list[str]:
    return [found.uri.key for found in store.objects(S3Uri("b", "in/"))]


def shards(store: InMemoryStore) -> list[str]:
    return [store.get(found.uri).decode() for found in store.objects(S3Uri("b", "in/shards/"))]


def kept(store: InMemoryStore) -> pa.Table:
    return pa.concat_tables(
        pq.read_table(io.BytesIO(store.get(found.uri))) for found in store.objects(S3Uri("b", "in/kept/"))
    )


def test_shards_hold_the_model_columns_and_kept_ones_lie_beside() -> None:
    store = in_source(a__csv=CSV)

    prepared = run(store, keep=["id"])

    assert shards(store) == ["1.10,Ann\n,Bob\n"]
    assert kept(store).to_pydict() == {"id": ["007", "8"]}
    assert prepared == PreparedInput(
        input="s3://b/in/shards/",
        manifest="s3://b/in/manifest.json",
        content_type="text/csv",
        split_type="Line",
        assemble_with="Line",
        shards=1,
        rows=2,
    )


def test_the_manifest_lists_everything() -> None:
    store = in_source(a__csv=CSV)
    run(store, keep=["id", "name"], types={"id": "int64"}, columns=["x"])

    manifest = PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))

    [shard], [source] = manifest.shards, manifest.source
    body = store.get(S3Uri.parse(shard.uri))
    assert (shard.rows, shard.bytes, shard.sha256) == (2, len(body), hashlib.sha256(body).hexdigest())
    assert shard.kept == "s3://b/in/kept/part-00000.parquet"
    assert manifest.columns == ("x",)
    assert manifest.kept == {"id": "int64", "name": "string"}
    stored = store.stat(S3Uri("b", "src/a.csv"))
    assert (source.uri, source.size, source.etag) == (str(stored.uri), stored.size, stored.etag)


def test_the_manifest_is_written_last_and_removed_first() -> None:
    store = Recorder(in_source(a__csv=CSV).bodies)
    run(store, keep=["id"])
    first = list(store.changes)
    store.changes.clear()
    run(store, keep=["id"])

    assert first[-1] == "+manifest.json"
    assert store.changes[0] == "-manifest.json"
    assert store.changes[-1] == "+manifest.json"


class Recorder(InMemoryStore):
    """Remembers what was put and deleted, in order; fails where it is told to."""

    def __init__(self, bodies: dict[S3Uri, bytes], fail_at: str = "") -> None:
        super().__init__({str(uri): body for uri, body in bodies.items()})
        self.changes: list[str] = []
        self.fail_at = fail_at

    def put(self, uri: S3Uri, body: bytes, **options: Any) -> None:
        if self.fail_at and self.fail_at in uri.key:
            raise StorageError(str(uri), "SlowDown", "Reduce your request rate.")
        self.changes.append(f"+{uri.name}")
        super().put(uri, body, **options)

    def delete(self, uris: Any) -> None:
        for uri in uris:
            self.changes.append(f"-{uri.name}")
            super().delete([uri])


@pytest.mark.parametrize("fail_at", ["shards/part-00001", "kept/part-00001", "manifest.json"])
def test_after_an_error_nothing_is_left(fail_at: str) -> None:
    store = Recorder(in_source(a__csv=CSV).bodies, fail_at)

    with pytest.raises(StorageError):
        run(store, keep=["id"], shard_rows=1)

    assert written(store) == []


def test_shards_of_a_larger_run_go() -> None:
    store = in_source(a__csv=CSV)
    run(store, keep=["id"], shard_rows=1)
    assert len(written(store)) == 5

    run(store, columns=["x"])

    assert written(store) == ["in/manifest.json", "in/shards/part-00000.csv"]


def test_a_rerun_writes_the_same_bytes() -> None:
    store = in_source(a__csv=CSV, b__parquet=parquet(id=["1"], x=[0.5], name=["C"]))
    run(store, keep=["id"], min_shards=2)
    before = dict(store.bodies)
    run(store, keep=["id"], min_shards=2)

    assert store.bodies == before


@pytest.mark.parametrize(
    "name",
    [
        "shards/other.csv",
        "shards/sub/part-00000.csv",
        "shards/part-00000.parquet",
        "kept/sub/part-00000.parquet",
        "kept/part-00000.csv",
        "manifest.json",
    ],
)
def test_what_no_prepare_task_wrote_is_refused_and_stays(name: str) -> None:
    store = in_source(a__csv=CSV)
    run(store, keep=["id"])
    store.put(S3Uri("b", f"in/{name}"), b"theirs")
    before = dict(store.bodies)

    with pytest.raises(InvalidData) as caught:
        run(store, keep=["id"])

    assert [problem.value for problem in caught.value.problems] == [f"s3://b/in/{name}"]
    assert store.bodies == before


def test_what_lies_beside_the_folders_stays() -> None:
    store = in_source(a__csv=CSV)
    beside = S3Uri("b", "in/part-00000.csv")
    store.put(beside, b"theirs")
    run(store, keep=["id"])
    run(store, keep=["id"])

    assert store.get(beside) == b"theirs"


# ------------------------------------------------------------------------------------------------------- the source


def test_objects_are_read_in_order_and_once() -> None:
    store = in_source(b__csv=b"x\n2\n", a__csv=b"x\n1\n", c__csv=b"x\n3\n")

    run(store, source=["s3://b/src/c.csv", "s3://b/src/", "s3://b/src/a.csv"])

    assert shards(store) == ["3\n1\n2\n"]


def test_what_is_no_data_in_a_folder_is_left_out() -> None:
    store = in_source(a__csv=b"x\n1\n", _SUCCESS=b"ok", empty__csv=b"")
    store.put(S3Uri("b", "src/_temporary/0/b.csv"), b"x\n2\n")
    store.put(S3Uri("b", "src/.part.crc"), b"x")
    store.put(S3Uri("b", "src/deeper/c.csv"), b"x\n3\n")

    run(store)

    assert shards(store) == ["1\n3\n"]


def test_columns_are_found_by_their_names() -> None:
    store = in_source(a__csv=b"id,x,y\n1,2,3\n", b__csv=b"y,id,x\n6,4,5\n", c__CSV=b"x,y,id\n8,9,7\n")

    run(store, keep=["id"])

    assert shards(store) == ["2,3\n5,6\n8,9\n"]
    assert kept(store)["id"].to_pylist() == ["1", "4", "7"]


def test_the_format_may_be_given() -> None:
    store = in_source(a=b"x\n1\n", b__txt=b"x\n2\n")

    run(store, format="csv")

    assert shards(store) == ["1\n2\n"]


def test_everything_wrong_with_the_objects_is_told_at_once() -> None:
    store = in_source(
        a__csv=b"id,x\n1,2\n",
        b__csv=b"id,z\n1,2\n",
        c__csv=b"id,x,x\n",
        d__csv=b"id,x,more\n",
        e__parquet=parquet(id=[1]),
    )
    found = problems(store, keep=["id"])

    assert {problem.field.rpartition("/")[2]: problem.value for problem in found} == {
        "b.csv": ["z"],
        "c.csv": ["x"],
        "d.csv": ["more"],
        "e.parquet": ["x"],
    }
    assert all(problem.rule and problem.remedy for problem in found)


def test_everything_that_cannot_be_read_is_told_at_once() -> None:
    store = in_source(a__csv=b"\x1f\x8b..", b__parquet=b"no", c__doc=b"?", d__csv=b"\n")
    found = problems(
        store,
        source=["s3://b/src/", "s3://b/none.csv", "s3://nowhere/x/"],
        types={"id": "decimal128(99, 2)"},
        keep=["id"],
    )

    assert [problem.value for problem in found] == [
        "decimal128(99, 2)",
        "s3://b/none.csv",
        "s3://nowhere/x/",
        "s3://b/src/a.csv",
        "s3://b/src/b.parquet",
        "s3://b/src/c.doc",
        "s3://b/src/d.csv",
    ]


NO_CSV = {
    "JSON Lines": b'{"id":1,"x":2}\n{"id":2,"x":3}\n',
    "JSON": b"[\n1]\n",
    "XML or HTML": b"\xef\xbb\xbf<table>\n",
    "semicolons": b"id;x\n1;2\n",
    "tabs": b"id\tx\n1\t2\n",
    "bars": b"id|x\n1|2\n",
}


@pytest.mark.parametrize("looks", NO_CSV)
@pytest.mark.parametrize("options", [{}, {"columns": ["x"], "keep": ["id"]}], ids=str)
def test_a_csv_that_is_none_is_told_what_it_looks_like(looks: str, options: dict[str, Any]) -> None:
    [problem] = problems(in_source(a__csv=NO_CSV[looks]), **options)

    assert (problem.field, problem.value) == ("source", "s3://b/src/a.csv")
    assert looks in problem.rule


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (b"a;b\n1\n", {"columns": ["a;b"]}),
        (b"<id>,x\n1,1\n", {"keep": ["<id>"]}),
        (b"a|b,x\n1,1\n", {"columns": ["x"]}),
    ],
)
def test_strange_names_may_be_asked_for(body: bytes, options: dict[str, Any]) -> None:
    store = in_source(a__csv=body)
    run(store, **options)

    assert shards(store) == ["1\n"]


@pytest.mark.parametrize("bodies", [{}, {"_SUCCESS": b"x"}, {"a__csv": b""}, {"a__csv": b"x\n"}], ids=str)
def test_a_source_without_rows_is_refused(bodies: dict[str, bytes]) -> None:
    store = InMemoryStore(buckets=["b"])
    store.bodies |= in_source(**bodies).bodies

    [problem] = problems(store)

    assert problem.field == "source"


def test_a_model_must_be_left_something() -> None:
    [problem] = problems(in_source(a__csv=b"id\n1\n"), keep=["id"])

    assert problem.field == "keep"


@pytest.mark.parametrize(
    ("body", "where", "value"),
    [
        (b"x,y\n1,2\n3\n", "row 2", "3"),
        (b"x,y\n1,2,3\n", "row 1", "1,2,3"),
        (b"x,y\n1,2\n3,\xff\n", "row 2, column 'y'", b"\xff"),
        (b"x,y\n1,2\n\xff,3,4\n", "row 2", b"\xff,3,4"),
        (b'x,y\n1,2\n3,"4\n5"\n', "row 2, column 'y'", "4\n5"),
        (b'x,y\n1,2\n"open,2\n', "row 2", '"open,2'),
    ],
)
def test_a_damaged_row_is_named(body: bytes, where: str, value: object) -> None:
    [problem] = problems(in_source(a__csv=body))

    assert problem.field == f"s3://b/src/a.csv, {where}"
    assert problem.value == value


def test_a_damaged_parquet_is_named() -> None:
    body = corrupt_parquet(pa.table({"x": [f"{number}" * 9 for number in range(999)]}))
    [problem] = problems(in_source(a__csv=b"x\n1\n", b__parquet=body))

    assert problem.value == "s3://b/src/b.parquet"
    assert problem.rule.startswith("is damaged behind row 0")


def test_a_line_break_may_be_kept() -> None:
    store = in_source(a__csv=b'id,x\n"a\nb",1\n')
    run(store, keep=["id"])

    assert kept(store)["id"].to_pylist() == ["a\nb"]
    assert shards(store) == ["1\n"]


# -------------------------------------------------------------------------------------------------------- the types


def test_kept_columns_of_csv_take_the_types_that_are_given() -> None:
    store = in_source(a__csv=b"id,day,x\n7,2026-01-02,1\n,,2\n")
    run(store, keep=["id", "day"], types={"id": "int64", "day": "date32"})

    assert kept(store).schema.types == [pa.int64(), pa.date32()]
    assert kept(store)["id"].to_pylist() == [7, None]


def test_types_may_have_parameters() -> None:
    store = in_source(a__csv=b"id,when,x\n1.50,2026-01-02T00:00:00Z,1\n")
    run(store, keep=["id", "when"], types={"id": "decimal128(10,2)", "when": "timestamp[us, tz=UTC]"})

    assert kept(store).schema.types == [pa.decimal128(10, 2), pa.timestamp("us", "UTC")]
    assert str(kept(store)["id"][0].as_py()) == "1.50"


def test_what_is_not_of_its_type_is_named() -> None:
    found = problems(in_source(a__csv=b"id,x\n1,0\none,0\n3.5,0\n"), keep=["id"], types={"id": "int64"})

    assert [(problem.field, problem.value) for problem in found] == [
        ("s3://b/src/a.csv, row 2, column 'id'", "one"),
        ("s3://b/src/a.csv, row 3, column 'id'", "3.5"),
    ]


def test_kept_columns_of_parquet_keep_their_types() -> None:
    columns = {
        "big": pa.array([2**63 - 1, None]),
        "when": pa.array([0, 1], pa.timestamp("ns", "Europe/Berlin")),
        "nested": pa.array([{"a": [1]}, None]),
        "kind": pa.array(["x", "y"]).dictionary_encode(),
    }
    store = in_source(a__parquet=parquet(x=[1, 2], **columns))
    run(store, keep=list(columns))

    assert kept(store).equals(pa.table(columns))
    assert shards(store) == ["1\n2\n"]


def test_what_no_cell_can_hold_is_refused_by_name() -> None:
    store = in_source(a__parquet=parquet(x=[1], nested=[[1]], raw=[b"x"], span=pa.array([1], pa.duration("s"))))
    found = problems(store)

    assert [problem.field.partition(", ")[2] for problem in found] == [
        "column 'nested'",
        "column 'raw'",
        "column 'span'",
    ]


def test_kept_columns_must_have_one_type() -> None:
    store = in_source(a__parquet=parquet(id=[1], x=[1]), b__parquet=parquet(id=["1"], x=[1]))

    [problem] = problems(store, keep=["id"])
    assert (problem.field, problem.value) == ("s3://b/src/b.parquet, column 'id'", "string")

    run(store, keep=["id"], types={"id": "int64"})
    assert kept(store)["id"].to_pylist() == [1, 1]


# ------------------------------------------------------------------------------------------------- how large shards are


def rows_of(store: InMemoryStore) -> list[int]:
    return [body.count("\n") for body in shards(store)]


def numbers(count: int) -> bytes:
    return b"x\n" + b"".join(b"%06d\n" % number for number in range(count))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [100]),
        ({"shard_rows": 40}, [40, 40, 20]),
        ({"shard_bytes": 7 * 100}, [100]),
        ({"shard_bytes": 7 * 100 - 1}, [50, 50]),
        ({"shard_bytes": 1}, [1] * 100),
        ({"min_shards": 4}, [25] * 4),
        ({"min_shards": 3}, [33, 33, 34]),
        ({"min_shards": 500}, [1] * 100),
        ({"min_shards": 2, "shard_rows": 30}, [30, 20, 30, 20]),
    ],
)
def test_shards_are_cut_as_asked(options: dict[str, int], expected: list[int]) -> None:
    store = in_source(a__csv=numbers(100))
    prepared = run(store, **options)

    assert rows_of(store) == expected
    assert (prepared.shards, prepared.rows) == (len(expected), 100)
    assert "".join(shards(store)) == numbers(100).decode()[2:]


def test_shards_go_over_objects() -> None:
    store = in_source(a__csv=numbers(3), b__csv=numbers(3), c__parquet=parquet(x=["1", "2", "3"]))
    run(store, shard_rows=4)

    assert rows_of(store) == [4, 4, 1]


def test_a_large_source_is_dealt_evenly() -> None:
    store = in_source(a__csv=numbers(1_000_000), b__parquet=parquet(x=[f"{number:06}" for number in range(1_000_000)]))
    prepared = run(store, min_shards=8)

    assert prepared.rows == 2_000_000
    assert prepared.shards == 8


def test_no_shard_is_larger_than_asked() -> None:
    store = in_source(a__csv=numbers(1_000_000))
    run(store, shard_bytes=1_000_000)

    sizes = [len(body) for body in shards(store)]
    assert max(sizes) <= 1_000_000
    assert min(sizes[:-1]) > 400_000


def test_the_manifest_is_for_people_too() -> None:
    store = in_source(a__csv=CSV)
    run(store)

    assert json.loads(store.get(S3Uri("b", "in/manifest.json")))["rows"] == 2


def test_a_row_that_is_larger_than_a_share_leaves_its_shares_to_the_rows_behind_it() -> None:
    large, small = b"x\n" + b"y" * 1000 + b"\n", b"x\n" + b"z\n" * 9
    first = in_source(a__csv=large, b__csv=small)
    last = in_source(a__csv=small, b__csv=large)

    assert run(first, min_shards=4).shards == 4
    assert run(last, min_shards=4).shards == 2
    assert "But there are 2" in PreparedManifest.read(last.get(S3Uri("b", "in/manifest.json"))).why[-1]
