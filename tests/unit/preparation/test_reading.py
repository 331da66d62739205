"""Every way to read a source: what becomes of its rows."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.errors import InvalidData, Problem, TooManyQuarantined
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def zstandard(body: bytes) -> bytes:
    return bytes(pa.compress(body, codec="zstd", asbytes=True))


def source(**bodies: bytes) -> InMemoryStore:
    return InMemoryStore({f"s3://b/src/{name.replace('__', '.')}": body for name, body in bodies.items()})


def run(store: InMemoryStore, **options: Any) -> PreparedInput:
    return prepare(store, PrepareRequest.read({"source": "s3://b/src/", "output": "s3://b/in/", **options}))


def problems(store: InMemoryStore, **options: Any) -> list[Problem]:
    with pytest.raises(InvalidData) as caught:
        run(store, **options)
    assert not list(store.objects(S3Uri("b", "in/shards/")))
    return list(caught.value.problems)


def fields(store: InMemoryStore, **options: Any) -> list[str]:
    return [problem.field.removeprefix("s3://b/src/") for problem in problems(store, **options)]


def shards(store: InMemoryStore) -> str:
    return "".join(store.get(found.uri).decode() for found in store.objects(S3Uri("b", "in/shards/")))


def table(store: InMemoryStore, folder: str) -> pa.Table:
    found = store.objects(S3Uri("b", f"in/{folder}/"))
    return pa.concat_tables(pq.read_table(io.BytesIO(store.get(one.uri))) for one in found)


# ------------------------------------------------------------------------------------------------ formats and dialects

COMMAS = b"id,x,note\n007,1.10,a\n8,,b\n"
HEADLESS: dict[str, Any] = {"header": False, "names": ["id", "x", "note"]}
# Always the same table, as an object of this name and with these options.
WAYS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "a.csv": (COMMAS, {}),
    "b.csv": (COMMAS.replace(b",", b";"), {"delimiter": ";"}),
    "c.tsv": (COMMAS.replace(b",", b"\t"), {}),
    "d.csv": (COMMAS.replace(b",", b"\t"), {"delimiter": r"\t"}),
    "e.txt": (COMMAS.replace(b",", b"|"), {"delimiter": "|", "format": "csv"}),
    "f.csv": (COMMAS.replace(b"007", b"'007'"), {"quote": "'"}),
    "g.csv": (b"\xef\xbb\xbf" + COMMAS.replace(b"\n", b"\r\n"), {}),
    "h.csv": (COMMAS.partition(b"\n")[2], HEADLESS),
    "i.csv": (b"\xef\xbb\xbf" + COMMAS.partition(b"\n")[2], HEADLESS),
    "j.csv": (b"note,id,x\na,007,1.10\nb,8,\n", {}),
    "k.csv.gz": (gzip.compress(COMMAS, mtime=0), {}),
    "l.csv.zst": (zstandard(COMMAS), {}),
    "m.csv": (gzip.compress(COMMAS, mtime=0), {"compression": "gzip"}),
    "n.csv.gz": (COMMAS, {"compression": "none"}),
    "o.jsonl": (b'{"id":"007","x":"1.10","note":"a"}\n{"note":"b","id":"8"}\n', {}),
    "p.ndjson.gz": (gzip.compress(b'{"id":"007","x":"1.10","note":"a"}\n{"note":"b","id":"8"}\n', mtime=0), {}),
    "q.json": (b'\xef\xbb\xbf{"id":"007","x":"1.10","note":"a"}\r\n{"note":"b","id":"8"}', {"format": "jsonlines"}),
    "r.pq": (parquet(id=["007", "8"], x=["1.10", None], note=["a", "b"]), {}),
    "s.tsv.gz": (gzip.compress(COMMAS.replace(b",", b"\t"), mtime=0), {}),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_gives_the_same_rows(name: str) -> None:
    body, options = WAYS[name]
    store = InMemoryStore({f"s3://b/src/{name}": body})

    prepared = run(store, columns=["x", "note"], keep=["id"], **options)

    assert (shards(store), prepared.rows) == ("1.10,a\n,b\n", 2)
    assert table(store, "kept")["id"].to_pylist() == ["007", "8"]


@pytest.mark.parametrize("blank", [b"\n", b"\xef\xbb\xbf\r\n"])
def test_an_object_without_a_header_may_hold_nothing(blank: bytes) -> None:
    store = source(a__csv=b"1,2\n", b__csv=blank, c__csv__gz=gzip.compress(b"", mtime=0))
    run(store, header=False, names=["x", "y"])

    assert shards(store) == "1,2\n"


def test_all_formats_may_lie_in_one_folder() -> None:
    together = {f"s3://b/src/{name}": body for name, (body, options) in WAYS.items() if not options}
    store = InMemoryStore(together)

    run(store, columns=["x", "note"], keep=["id"], min_shards=3)

    assert shards(store) == "1.10,a\n,b\n" * len(together)


@pytest.mark.parametrize(
    ("body", "options", "rule"),
    [
        (COMMAS, {"delimiter": ";"}, "cells are separated by commas"),
        (COMMAS, {"header": False, "names": ["a", "b"]}, "has 3 cells in its first record, where 2 names are given"),
        (COMMAS, {"compression": "gzip"}, "is no gzip"),
        (gzip.compress(COMMAS, mtime=0), {}, "is no CSV but gzip"),
        (gzip.compress(COMMAS, mtime=0)[:-6], {"compression": "gzip"}, "is no gzip, or damaged"),
        (COMMAS, {"format": "jsonlines"}, "holds no JSON objects with members"),
        (COMMAS, {"format": "parquet"}, "is no Parquet"),
        (zstandard(parquet(id=["1"])), {"format": "parquet", "compression": "zstd"}, "compressed as a whole, by zstd"),
    ],
)
def test_what_is_not_what_it_is_said_to_be_is_named(body: bytes, options: dict[str, Any], rule: str) -> None:
    [problem] = problems(source(a__csv=body), **options)

    assert (problem.field, problem.value) == ("source", "s3://b/src/a.csv")
    assert rule in problem.rule


def test_a_compressed_object_is_cut_by_share() -> None:
    lines = [f"{number * 7919 % 100_003},{number}" for number in range(300_000)]
    body = gzip.compress("\n".join(["id,x", *lines, ""]).encode(), mtime=0)
    found = []
    for _ in range(2):
        store = source(a__csv__gz=body)
        prepared = run(store, keep=["id"], min_shards=3)
        found.append([store.get(one.uri) for one in store.objects(S3Uri("b", "in/shards/"))])

    assert prepared.shards >= 3
    assert found[0] == found[1]
    assert b"".join(found[0]).decode().split() == [line.partition(",")[2] for line in lines]


# ----------------------------------------------------------------------------------------------------------- columns


def test_columns_are_renamed_before_all_else() -> None:
    store = source(a__csv=b"Customer ID,x,y\n1,,3\n", b__csv=b"y,Customer ID,x\n6,4,5\n")

    run(
        store, rename={"Customer ID": "id", "y": "z"}, keep=["id"], columns=["z", "x"], fill={"x": 0}, required=["z"],
        types={"id": "int64", "x": "int64"},
    )  # fmt: skip

    assert shards(store) == "3,0\n6,5\n"
    assert table(store, "kept")["id"].to_pylist() == [1, 4]
    manifest = PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))
    assert (manifest.columns, manifest.kept) == (("z", "x"), {"id": "int64"})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rename": {"none": "x2"}}, ["a.csv"]),
        ({"rename": {"x": "id"}}, ["a.csv"]),
        ({"types": {"none": "int64"}, "columns": None}, ["types"]),
        ({"fill": {"x": "one"}, "types": {"x": "int64"}}, ["fill['x']"]),
        ({"types": {"x": "timestamp[us, tz=Mars]"}}, ["types['x']"]),
    ],
)
def test_columns_that_cannot_be_are_named(options: dict[str, Any], expected: list[str]) -> None:
    assert fields(source(a__csv=b"id,x\n1,2\n"), **options) == expected


def test_types_are_given_to_what_the_model_is_sent() -> None:
    store = source(a__csv=b"x,y,when\n007,1.10,2026-01-02T03:04:05+02:00\n,,\n")
    run(store, types={"x": "int64", "y": "double", "when": "timestamp[us, tz=UTC]"}, fill={"y": "0.5"})

    assert shards(store) == "7,1.1,2026-01-02T01:04:05.000000Z\n,0.5,\n"


def test_a_type_that_cannot_become_another_is_refused_by_name() -> None:
    store = source(a__parquet=parquet(x=[1], nested=[[1]]))

    assert fields(store, columns=["x"], keep=["nested"], types={"nested": "int64"}) == ["a.parquet, column 'nested'"]


def test_json_objects_have_the_members_of_each_other() -> None:
    store = source(
        a__jsonl=b'{"id":1,"x":1}\n', b__jsonl=b'{"id":2,"x":null,"y":"b"}\n', c__jsonl=b'{"id":3,"x":2.5}\n'
    )

    run(store, columns=["x"], keep=["id", "y", "x"])

    assert shards(store) == '1\n""\n2.5\n'
    assert table(store, "kept").to_pylist() == [
        {"id": 1, "y": None, "x": 1.0},
        {"id": 2, "y": "b", "x": None},
        {"id": 3, "y": None, "x": 2.5},
    ]


def test_json_keeps_its_types() -> None:
    lines = [
        '{"id":9223372036854775807,"price":12345678901234567890.12,"tags":["a",null],"at":"2026-01-02T03:04:05Z","x":1}',
        '{"id":null,"price":null,"tags":null,"at":null,"x":2}',
    ]
    store = source(a__jsonl="\n".join(lines).encode())
    run(
        store, columns=["x"], keep=["id", "price", "tags", "at"],
        types={"price": "decimal128(38, 2)", "at": "timestamp[us, tz=UTC]"},
    )  # fmt: skip

    kept = table(store, "kept")
    assert kept.schema.types == [pa.int64(), pa.decimal128(38, 2), pa.list_(pa.string()), pa.timestamp("us", "UTC")]
    assert kept.slice(0, 1)["id"].to_pylist() == [2**63 - 1]
    assert kept["price"].to_pylist() == [Decimal("12345678901234567890.12"), None]
    assert kept["tags"].to_pylist() == [["a", None], None]


def test_nested_json_is_no_csv_cell() -> None:
    assert fields(source(a__jsonl=b'{"x":{"y":1}}\n')) == ["a.jsonl, column 'x'"]


# ---------------------------------------------------------------------------------------------------------- quarantine

DAMAGED = b'id,x,y\n1,1,a\n2,one,b\n3,3\n4,4,"c\nd"\n5,,e\n6,6,\xff\n7,7,g\n'
TYPED: dict[str, Any] = {"keep": ["id"], "types": {"x": "int64"}, "required": ["x"]}


def test_rows_that_cannot_be_prepared_are_set_aside() -> None:
    store = source(a__csv=DAMAGED, b__csv=b"id,x,y\n8,8,h\n")

    prepared = run(store, **TYPED, max_quarantined=5)

    assert (prepared.rows, prepared.quarantined) == (3, 5)
    assert shards(store) == "1,a\n7,g\n8,h\n"
    assert table(store, "kept")["id"].to_pylist() == ["1", "7", "8"]
    aside = table(store, "quarantine").to_pylist()
    assert [(row["row"], row["column"], row["value"], row["record"]) for row in aside] == [
        (2, "x", "one", "2,one,b"),
        (3, None, "3,3", "3,3"),
        (4, "y", "c\nd", '4,4,"c\nd"'),
        (5, "x", None, "5,,e"),
        (6, "y", "\\xff", "6,6,\\xff"),
    ]
    assert {row["source"] for row in aside} == {"s3://b/src/a.csv"}
    assert all(row["reason"] for row in aside)
    manifest = PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))
    assert (manifest.quarantined, manifest.quarantine) == (5, ("s3://b/in/quarantine/part-00000.parquet",))


@pytest.mark.parametrize("allowed", [4, "62%", 0.624])
def test_too_many_fail_and_can_still_be_looked_at(allowed: Any) -> None:
    store = source(a__csv=DAMAGED, b__csv=b"id,x,y\n8,8,h\n")

    with pytest.raises(TooManyQuarantined) as caught:
        run(store, **TYPED, max_quarantined=allowed)

    assert caught.value.quarantined == 5
    assert caught.value.uri == "s3://b/in/quarantine/part-00000.parquet"
    assert [problem.field for problem in caught.value.problems][:2] == [
        "max_quarantined",
        "s3://b/src/a.csv, row 2, column 'x'",
    ]
    written = [found.uri.key for found in store.objects(S3Uri("b", "in/"))]
    assert written == ["in/quarantine/part-00000.parquet"]
    assert table(store, "quarantine").num_rows == 5


@pytest.mark.parametrize("allowed", [5, "62.5%", 0.7, "100%"])
def test_as_many_as_may_be_do_not_fail(allowed: Any) -> None:
    store = source(a__csv=DAMAGED, b__csv=b"id,x,y\n8,8,h\n")

    assert run(store, **TYPED, max_quarantined=allowed).quarantined == 5


def test_nothing_is_read_behind_too_many() -> None:
    bad, good = b"x\n" + b"one\n" * 2_000_000, b"x\n1\n"
    store = source(a__csv=good, b__csv=bad, c__csv=bad)
    told: list[int] = []
    request = PrepareRequest.read(
        {"source": "s3://b/src/", "output": "s3://b/in/", "types": {"x": "int64"}, "max_quarantined": 5}
    )

    with pytest.raises(TooManyQuarantined):
        prepare(store, request, progress=lambda done, _: told.append(done))

    assert max(told) < len(good) + len(bad)


def test_without_an_allowance_the_first_are_named_and_nothing_is_left() -> None:
    store = source(a__csv=DAMAGED)

    assert fields(store, **TYPED)[0].startswith("a.csv, row 2")
    assert not list(store.objects(S3Uri("b", "in/")))


def test_a_run_without_trouble_takes_the_quarantine_of_another_away() -> None:
    store = source(a__csv=DAMAGED)
    run(store, **TYPED, max_quarantined="100%")
    store.put(S3Uri("b", "src/a.csv"), b"id,x,y\n1,1,a\n")

    assert run(store, **TYPED, max_quarantined="100%").quarantined == 0
    assert not list(store.objects(S3Uri("b", "in/quarantine/")))


def test_a_strange_object_in_the_quarantine_is_refused() -> None:
    store = source(a__csv=DAMAGED)
    store.put(S3Uri("b", "in/quarantine/theirs.csv"), b"x")

    assert fields(store, **TYPED, max_quarantined="100%") == ["output"]


def test_where_nothing_is_left_that_is_an_error_and_can_still_be_looked_at() -> None:
    store = source(a__csv=b"x\none\n")

    with pytest.raises(TooManyQuarantined, match="leaves nothing for the model: 1 of 1 rows"):
        run(store, types={"x": "int64"}, max_quarantined="100%")

    assert table(store, "quarantine")["value"].to_pylist() == ["one"]


def test_what_cannot_be_read_on_is_an_error_whatever_is_allowed() -> None:
    body = b"x\n1\n" + b"9" * 5_000_000 + b"\n2\n"

    [problem] = problems(source(a__csv=body), max_quarantined="100%")

    assert "cannot be read" in problem.rule


@pytest.mark.parametrize(
    "body",
    [
        b'id,x\n1,"a\n2,b\n3,c\n',
        b'id,x\n1,"a\n2,"b"\n3,c\n',
        b'id,x\n1,"a',
        b'id,x\n0\n1,"a\n2,b\n',
    ],
)
def test_a_quote_that_is_not_closed_takes_no_records_in(body: bytes) -> None:
    *_, problem = problems(source(a__csv=body), keep=["x"], max_quarantined="100%")

    assert "whose quote is not closed" in problem.rule


class Restless(InMemoryStore):
    """A store in which the source is written anew when it is opened for the second, or the third time."""

    opened, change_at = 0, 2

    def reader(self, uri: S3Uri) -> Any:
        if uri.key.startswith("src/"):
            self.opened += 1
            if self.opened == self.change_at:
                self.put(uri, b"id,x\n7,new\n8,new\n")
        return super().reader(uri)


@pytest.mark.parametrize("change_at", [2, 3])
def test_rows_are_never_those_of_two_versions(change_at: int) -> None:
    store = Restless({"s3://b/src/a.csv": b"id,x\n1,old\n2\n3,old\n"})
    store.change_at = change_at

    [problem] = problems(store, max_quarantined="50%")

    assert (problem.value, problem.rule) == ("s3://b/src/a.csv", "has changed since it was listed")


def test_quotes_within_cells_are_no_mistake() -> None:
    store = source(a__csv=b'id,x\n1,5" pipe\n2,"a ""b"",\nc"\n3,""\n', b__csv=b"id,x")
    assert run(store, keep=["x"]).rows == 3
    assert table(store, "kept")["x"].to_pylist() == ['5" pipe', 'a "b",\nc', ""]


def test_bad_lines_of_json_are_set_aside() -> None:
    body = b'{"id":1,"x":1}\nno\n{"id":3,"x":"three"}\n{"id":4}\n{"id":5,"x":5}\n'
    store = source(a__jsonl=body)

    run(store, keep=["id"], required=["x"], max_quarantined=3)

    assert shards(store) == "1\n5\n"
    aside = table(store, "quarantine").to_pylist()
    assert [(row["row"], row["column"], row["value"], row["record"]) for row in aside] == [
        (2, None, "no", "no"),
        (3, "x", "three", '{"id":3,"x":"three"}'),
        (4, "x", None, '{"id":4}'),
    ]


def test_rows_of_parquet_are_set_aside() -> None:
    store = source(a__parquet=parquet(id=[1, 2, 3], x=["1", "two", None], y=["a", "b", "c\r"]))

    run(store, keep=["id"], types={"x": "int64"}, max_quarantined=2)

    assert shards(store) == "1,a\n"
    aside = table(store, "quarantine").to_pylist()
    assert [(row["row"], row["column"]) for row in aside] == [(2, "x"), (3, "y")]
    assert json.loads(aside[0]["record"]) == {"x": "two", "y": "b", "id": 2}


def test_numbers_that_json_has_not_are_set_aside() -> None:
    store = source(a__parquet=parquet(x=[1.5, float("nan"), float("inf")]))

    run(store, content_type="application/jsonlines", max_quarantined=2)

    assert shards(store) == '{"x":1.5}\n'
    assert table(store, "quarantine")["value"].to_pylist() == ["nan", "inf"]


@pytest.mark.parametrize("where", ["first", "last", "both"])
def test_shares_reach_over_rows_that_were_set_aside(where: str) -> None:
    bad, good = ["x"] * 3000, [str(number) for number in range(3000)]
    lines = [*(bad if where in ("first", "both") else ()), *good, *(bad if where in ("last", "both") else ())]
    store = source(a__csv="\n".join(["x", *lines, ""]).encode())

    prepared = run(store, types={"x": "int64"}, min_shards=4, max_quarantined="100%")

    assert shards(store).split() == good
    assert prepared.shards >= 2


# ------------------------------------------------------------------------------------------------------------- queries


class Rows:
    def __init__(self, names: Sequence[str], *parts: Sequence[Sequence[Any]]) -> None:
        self._names, self._parts = tuple(names), parts

    def rows(self, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        yield from self._parts

    def names(self) -> tuple[str, ...]:
        return self._names


def query(store: InMemoryStore, rows: Rows, **options: Any) -> PreparedInput:
    values = {"sql": "SELECT", "sql_conn_id": "db", "output": "s3://b/in/", **options}
    return prepare(store, PrepareRequest.read(values), query=rows)


def test_a_query_is_prepared_like_a_table() -> None:
    store = InMemoryStore(buckets=["b"])
    parts = [[(number, Decimal(number) / 4, None) for number in range(begin, begin + 100)] for begin in (0, 100, 200)]

    prepared = query(
        store, Rows(["ID", "x", "note"], *parts), rename={"ID": "id"}, keep=["id", "note"], types={"note": "string"},
        min_shards=4,
    )  # fmt: skip

    assert (prepared.rows, prepared.shards >= 4) == (300, True)
    assert shards(store).split() == [str(Decimal(number) / 4 + Decimal("0.00")) for number in range(300)]
    assert table(store, "kept")["id"].to_pylist() == list(range(300))
    assert PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json"))).source == ()


def test_rows_of_a_query_are_set_aside() -> None:
    store = InMemoryStore(buckets=["b"])

    query(
        store,
        Rows(["id", "x"], [(1, 1), (2, 2)], [("three", 3), (4, None)]),
        keep=["id"],
        required=["x"],
        max_quarantined=2,
    )

    assert shards(store) == "1\n2\n"
    aside = table(store, "quarantine").to_pylist()
    assert [(row["source"], row["row"], row["column"]) for row in aside] == [("sql", 3, "id"), ("sql", 4, "x")]


@pytest.mark.parametrize(
    ("rows", "options", "field"),
    [
        (Rows(["x"]), {}, "sql"),
        (Rows(["x", "x"], [(1, 2)]), {}, "sql"),
        (Rows(["x"], [(b"1",)]), {}, "sql, column 'x'"),
        (Rows(["x"], [(1,)]), {"keep": ["id"]}, "sql"),
        (Rows(["x"], [(1,)]), {"types": {"x": "decimal128(99, 2)"}}, "types['x']"),
    ],
)
def test_a_query_that_gives_something_else_is_named(rows: Rows, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidData) as caught:
        query(InMemoryStore(buckets=["b"]), rows, **options)

    assert [problem.field for problem in caught.value.problems] == [field]


# ------------------------------------------------------------------------------------------------------------ progress


def test_progress_is_told_up_to_the_end() -> None:
    store = source(a__csv=b"x\n1\n", b__csv__gz=gzip.compress(b"x\n2\n", mtime=0), c__parquet=parquet(x=[3]))
    told: list[tuple[int, int]] = []
    request = PrepareRequest.read({"source": "s3://b/src/", "output": "s3://b/in/"})

    prepare(store, request, progress=lambda done, total: told.append((done, total)))

    total = sum(found.size for found in store.objects(S3Uri("b", "src/")))
    assert told == sorted(told)
    assert told[-1] == (total, total)
