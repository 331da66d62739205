from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import (
    AssociationError,
    InvalidInput,
    OutputMissing,
    RowCountMismatch,
    StaleOutput,
    StorageError,
    TypeTooNarrow,
)
from airflow_batchtx.spec.associated import AssociatedOutput
from airflow_batchtx.spec.manifest import PreparedManifest, Shard, SourceObject
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject
from airflow_batchtx.storage.tables.csv_records import PIECE
from tests.fakes import InMemoryStore
from tests.tables import corrupt_parquet

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


class Scored(InMemoryStore):
    """Shards of three and two rows, their kept columns, and what a model answered. `moved` shifts times, in seconds."""

    def __init__(self, *answers: bytes, keep: bool = True, **columns: pa.Array) -> None:
        super().__init__(buckets=["b"])
        self.moved: dict[str, int] = {}
        self.refused = ""
        table = pa.table(columns or {"id": ["007", "b,c", 'q"', "", None]})
        self.shards = tuple(
            self._shard(number, table.slice(start, rows), keep) for number, (start, rows) in enumerate([(0, 3), (3, 2)])
        )
        manifest = PreparedManifest(
            input="s3://b/in/shards/",
            content_type="text/csv",
            split_type="Line",
            columns=("x",),
            kept={},
            source=(),
            shards=self.shards,
        )
        self.put(S3Uri("b", "in/manifest.json"), manifest.to_json())
        for number, body in enumerate(answers):
            self.put(S3Uri("b", f"out/part-{number:05}.csv.out"), body)

    def _shard(self, number: int, kept: pa.Table, keep: bool) -> Shard:
        uri, beside = S3Uri("b", f"in/shards/part-{number:05}.csv"), S3Uri("b", f"in/kept/part-{number:05}.parquet")
        self.put(uri, b"0.5\n" * len(kept))
        file = io.BytesIO()
        pq.write_table(kept, file)
        self.put(beside, file.getvalue())
        return Shard(uri=str(uri), rows=len(kept), bytes=4, sha256="", kept=str(beside) if keep else None)

    def stat(self, uri: S3Uri) -> StoredObject:
        found = super().stat(uri)
        return StoredObject(uri, found.size, found.etag, NOON + timedelta(seconds=self.moved.get(uri.key, 0)))

    def put(self, uri: S3Uri, body: bytes, **options: Any) -> None:
        if self.refused and self.refused in uri.key:
            raise StorageError(str(uri), "SlowDown", "Reduce your request rate.")
        super().put(uri, body, **options)


RESULT = {
    "job_name": "job-1",
    "status": "Completed",
    "input": "s3://b/in/shards/",
    "output": "s3://b/out",
    "accept": "text/csv",
    "prepared": "s3://b/in/manifest.json",
    "rows": 5,
    "objects": 2,
    "created": NOON.isoformat(),
}


def run(store: InMemoryStore, result: dict[str, Any] | None = None, **options: Any) -> AssociatedOutput:
    values = {"result": RESULT | (result or {}), "output": "s3://b/scored/", **options}
    return associate(store, AssociateRequest.read(values))


def written(store: InMemoryStore) -> list[str]:
    return [found.uri.name for found in store.objects(S3Uri("b", "scored/"))]


def table(store: InMemoryStore) -> pa.Table:
    parts = [found.uri for found in store.objects(S3Uri("b", "scored/part-"))]
    return pa.concat_tables(pq.read_table(io.BytesIO(store.get(uri))) for uri in parts)


def test_every_row_stands_beside_its_answer() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5")

    output = run(store)

    assert table(store).to_pydict() == {"id": ["007", "b,c", 'q"', "", None], "prediction": [1, 2, 3, 4, 5]}
    assert output == AssociatedOutput(
        output="s3://b/scored/",
        manifest="s3://b/scored/_manifest.json",
        rows=5,
        parts=2,
        columns=("id", "prediction"),
        job_name="job-1",
    )
    assert written(store) == ["_SUCCESS", "_manifest.json", "part-00000.parquet", "part-00001.parquet"]


def test_csv_has_its_header_in_every_part() -> None:
    store = Scored(b"0.10\n2\n3\n", b"4\n\n")
    with pytest.raises(RowCountMismatch):
        run(store, format="csv")
    store.put(S3Uri("b", "out/part-00001.csv.out"), b"4\n0.5\n\n")

    run(store, format="csv", predictions="a")

    assert store.get(S3Uri("b", "scored/part-00000.csv")) == b'id,a\n007,0.1\n"b,c",2\n"q""",3\n'
    assert store.get(S3Uri("b", "scored/part-00001.csv")) == b"id,a\n,4\n,0.5\n"


def test_the_manifest_proves_the_parts() -> None:
    store = Scored(b"1,a\n2,b\n3,c\n", b"4,d\n5,e\n")
    run(store)

    manifest = json.loads(store.get(S3Uri("b", "scored/_manifest.json")))

    part = manifest["parts"][1]
    body = store.get(S3Uri.parse(part["uri"]))
    assert (part["rows"], part["bytes"], part["sha256"]) == (2, len(body), hashlib.sha256(body).hexdigest())
    assert (part["input"], part["output"]) == ("s3://b/in/shards/part-00001.csv", "s3://b/out/part-00001.csv.out")
    assert manifest["columns"] == {"id": "string", "prediction_0": "int64", "prediction_1": "string"}
    assert manifest["predictions"] == ["prediction_0", "prediction_1"]
    assert (manifest["rows"], manifest["job_name"], manifest["format"]) == (5, "job-1", "parquet")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_rerun_writes_the_same_bytes(form: str) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n0.5\n")
    run(store, format=form)
    before = dict(store.bodies)
    run(store, format=form)

    assert store.bodies == before


def test_after_a_refusal_to_begin_the_earlier_table_stays() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    run(store)
    before = dict(store.bodies)
    store.refused = "scored/_writing"

    with pytest.raises(StorageError):
        run(store)

    assert store.bodies == before


@pytest.mark.parametrize("refused", ["part-00001", "_manifest", "_SUCCESS"])
def test_after_an_error_nothing_is_left(refused: str) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    run(store)
    store.refused = f"scored/{refused}"

    with pytest.raises(StorageError):
        run(store)

    assert written(store) == []


# --------------------------------------------------------------------------------------- what is there, and whose it is


def one_shard(store: Scored) -> dict[str, Any]:
    """Prepare the input anew: its first shard alone."""
    manifest = PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))
    store.put(S3Uri("b", "in/manifest.json"), replace(manifest, shards=manifest.shards[:1]).to_json())
    return {"rows": 3, "objects": 1}


class Dies(InMemoryStore):
    """A store whose process is killed before a change: no clearing up comes after it."""

    def __init__(self, store: Scored, at: int) -> None:
        super().__init__(buckets=["b"])
        self.bodies, self._left = store.bodies, at

    def _count(self) -> None:
        if self._left <= 0:
            raise KeyboardInterrupt
        self._left -= 1

    def put(self, uri: S3Uri, body: bytes, **options: Any) -> None:
        self._count()
        super().put(uri, body, **options)

    def delete(self, uris: Any) -> None:
        for uri in list(uris):
            self._count()
            super().delete([uri])


@pytest.mark.parametrize("at", range(12))
def test_stale_parts_of_a_larger_run_go_wherever_it_died(at: int) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    run(store, format="csv")
    with contextlib.suppress(KeyboardInterrupt):
        run(Dies(store, at))

    run(store, one_shard(store))

    assert written(store) == ["_SUCCESS", "_manifest.json", "part-00000.parquet"]


def test_other_objects_below_the_output_stay() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    others = {S3Uri("b", f"scored/{name}") for name in ("part-00009.parquet.bak", "deeper/part-00000.parquet")}
    for uri in others:
        store.put(uri, b"theirs")

    run(store)
    run(store)

    assert {store.get(uri) for uri in others} == {b"theirs"}


OF_OTHERS = {"version": 1, "job_name": "j", "parts": [{"uri": "s3://elsewhere/part-00000.parquet"}]}


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        ({"part-00000.parquet": b"PAR1"}, ["part-00000.parquet"]),
        ({"part-00007.csv": b"x", "_SUCCESS": b""}, ["_SUCCESS", "part-00007.csv"]),
        ({"_SUCCESS": b""}, ["_SUCCESS"]),
        ({"_manifest.json": b"{}"}, ["_manifest.json"]),
        ({"_manifest.json": b"\xff", "part-00000.parquet": b""}, ["_manifest.json", "part-00000.parquet"]),
        ({"_writing.json": b'{"parts": []}'}, ["_writing.json"]),
        ({"_manifest.json": json.dumps(OF_OTHERS).encode(), "part-00000.parquet": b""}, ["part-00000.parquet"]),
    ],
    ids=str,
)
def test_what_cannot_be_proved_ours_is_refused_and_stays(theirs: dict[str, bytes], named: list[str]) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n")
    for name, body in theirs.items():
        store.put(S3Uri("b", f"scored/{name}"), body)
    before = dict(store.bodies)

    with pytest.raises(InvalidInput) as caught:
        run(store)

    assert [problem.value for problem in caught.value.problems] == [f"s3://b/scored/{name}" for name in named]
    assert store.bodies == before


@pytest.mark.parametrize(
    "output",
    ["s3://b/lake/day/", "s3://b/lake/", "s3://b/in/kept/", "s3://b/in/shards/x/", "s3://b/in/manifest.json/"],
)
def test_an_output_where_its_own_data_lies_is_refused(output: str) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n")
    source = SourceObject(uri="s3://b/lake/day/part-00000.parquet", size=1, etag="")
    manifest = PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))
    store.put(S3Uri("b", "in/manifest.json"), replace(manifest, source=(source,)).to_json())
    store.put(S3Uri.parse(source.uri), b"theirs")
    before = dict(store.bodies)

    with pytest.raises(InvalidInput, match="would write the table"):
        run(store, output=output)

    assert store.bodies == before


# --------------------------------------------------------------------------------------------------------- the proof


@pytest.mark.parametrize(
    ("answers", "rows_in", "rows_out"),
    [
        (b"1\n2\n", 3, 2),
        (b"1\n2\n3\n4\n", 3, 4),
        (b"1\n2\n3\n3\n3\n", 3, 5),
        (b"", 3, 0),
        (b"\n\n\n", 3, 0),
        (b"1\n\n3\n", 3, 2),
        (b'"1\n2"\n3\n', 3, 2),
    ],
)
def test_too_few_or_too_many_answers_are_refused(answers: bytes, rows_in: int, rows_out: int) -> None:
    store = Scored(answers, b"4\n5\n")

    with pytest.raises(RowCountMismatch) as caught:
        run(store)

    assert (caught.value.rows_in, caught.value.rows_out) == (rows_in, rows_out)
    assert caught.value.uri == "s3://b/out/part-00000.csv.out"
    assert written(store) == []


def test_counts_are_proved_for_each_pair() -> None:
    with pytest.raises(RowCountMismatch):
        run(Scored(b"1\n2\n", b"3\n4\n5\n"))


def test_blank_lines_between_answers_are_none() -> None:
    store = Scored(b"1\n\n2\n3\n\n", b'4\n""\n')
    run(store)

    assert table(store)["prediction"].to_pylist() == [1, 2, 3, 4, None]


def test_all_missing_outputs_are_named_before_anything_is_touched() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    run(store)
    before = written(store)
    store.delete([S3Uri("b", f"out/part-0000{number}.csv.out") for number in (0, 1)])

    with pytest.raises(OutputMissing) as caught:
        run(store)

    assert "part-00000.csv.out" in str(caught.value)
    assert "part-00001.csv.out" in str(caught.value)
    assert written(store) == before


@pytest.mark.parametrize(
    ("moved", "stale"),
    [
        ({}, False),
        ({"out/part-00001.csv.out": 60}, False),
        ({"out/part-00001.csv.out": -1}, True),
        ({"in/manifest.json": 1}, True),
        ({"in/manifest.json": -60, "out/part-00001.csv.out": -59}, True),
    ],
)
def test_an_output_of_an_earlier_job_is_refused(moved: dict[str, int], stale: bool) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    store.moved = moved

    if not stale:
        assert run(store).rows == 5
        return
    with pytest.raises(StaleOutput):
        run(store)


@pytest.mark.parametrize(("seconds", "late"), [(3660, False), (3661, True)])
def test_an_output_of_a_later_job_is_refused(seconds: int, late: bool) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    store.moved = {"out/part-00001.csv.out": seconds}

    with pytest.raises(StaleOutput, match="anew since the job ended") if late else contextlib.nullcontext():
        run(store, {"ended": (NOON + timedelta(hours=1)).isoformat()})


def test_times_within_one_second_are_not_told_apart() -> None:
    created = (NOON + timedelta(milliseconds=900)).isoformat()

    assert run(Scored(b"1\n2\n3\n", b"4\n5\n"), {"created": created}).rows == 5


@pytest.mark.parametrize(
    "key", ["out/part-00000.csv.out", "in/kept/part-00000.parquet", "in/manifest.json"], ids=["answers", "kept", "rows"]
)
def test_what_is_written_anew_while_it_is_read_makes_no_table(key: str) -> None:
    class Meanwhile(Scored):
        def writer(self, uri: S3Uri, **options: Any) -> Any:
            if uri.name == "part-00001.parquet":
                self.put(S3Uri("b", key), anew[key])
            return super().writer(uri, **options)

    store = Meanwhile(b"1\n2\n3\n", b"4\n5\n")
    manifest = PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))
    anew = {
        "out/part-00000.csv.out": b"7\n8\n9\n",
        "in/kept/part-00000.parquet": whole(pa.table({"id": ["x", "y", "z"]})),
        "in/manifest.json": replace(manifest, shards=manifest.shards[::-1]).to_json(),
    }

    with pytest.raises(StaleOutput, match="while it was read"):
        run(store)
    assert written(store) == []


@pytest.mark.parametrize("changed", [{"rows": 6}, {"objects": 3}, {"input": "s3://b/in/"}])
def test_an_input_that_was_prepared_anew_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(AssociationError, match="anew"):
        run(Scored(b"1\n2\n3\n", b"4\n5\n"), changed)


def test_kept_columns_of_another_length_are_refused() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    store.bodies[S3Uri("b", "in/kept/part-00001.parquet")] = store.bodies[S3Uri("b", "in/kept/part-00000.parquet")]

    with pytest.raises(AssociationError) as caught:
        run(store)

    assert caught.value.uri == "s3://b/in/kept/part-00001.parquet"


KEPT = pa.table({"id": [f"{number}" * 9 for number in range(3)]})


@pytest.mark.parametrize("body", [corrupt_parquet(KEPT), b"PAR1"], ids=["page", "footer"])
@pytest.mark.parametrize("number", [0, 1])
def test_damaged_kept_columns_are_named(body: bytes, number: int) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n6\n")
    manifest = PreparedManifest.read(store.get(S3Uri("b", "in/manifest.json")))
    shards = tuple(replace(shard, rows=3) for shard in manifest.shards)
    store.put(S3Uri("b", "in/manifest.json"), replace(manifest, shards=shards).to_json())
    store.put(S3Uri("b", f"in/kept/part-{number:05}.parquet"), body)
    store.put(S3Uri("b", f"in/kept/part-{1 - number:05}.parquet"), whole(KEPT))

    with pytest.raises(AssociationError, match="anew") as caught:
        run(store, {"rows": 6})

    assert caught.value.uri == f"s3://b/in/kept/part-{number:05}.parquet"


def whole(kept: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(kept, file)
    return file.getvalue()


def test_a_manifest_that_is_none_is_refused() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    store.put(S3Uri("b", "in/manifest.json"), b"{}")

    with pytest.raises(AssociationError):
        run(store)


@pytest.mark.parametrize(
    ("answers", "record"), [(b"1,2\n3\n4,5\n", 2), (b"1\n2,3\n4\n", 2), (b"1\n\xff\n3\n", 2), (b"\0\n1\n2\n", None)]
)
def test_an_answer_that_cannot_be_read_is_named(answers: bytes, record: int | None) -> None:
    store = Scored(answers, b"4\n5\n")

    with pytest.raises(AssociationError) as caught:
        run(store)

    assert (caught.value.uri, caught.value.record) == ("s3://b/out/part-00000.csv.out", record)
    assert written(store) == []


@pytest.mark.parametrize("body", [b'{"score":1,"label":"x"}\n', b" \n" * 99 + b"[1,2]\n", b'\xef\xbb\xbf{"a":1}'])
def test_answers_in_json_are_refused_before_anything_is_touched(body: bytes) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    run(store)
    store.put(S3Uri("b", "out/part-00000.csv.out"), body * 3)
    before = dict(store.bodies)

    with pytest.raises(AssociationError, match="accept='text/csv'") as caught:
        run(store)

    assert caught.value.uri == "s3://b/out/part-00000.csv.out"
    assert store.bodies == before


def test_answers_in_json_are_refused_in_every_object() -> None:
    with pytest.raises(AssociationError, match="holds JSON") as caught:
        run(Scored(b"a\nb\nc\n", b'{"a":1}\n{"a":2}\n'))

    assert caught.value.uri == "s3://b/out/part-00001.csv.out"


def test_quoted_json_is_a_cell() -> None:
    store = Scored(b'"{""a"": 1}"\nb\nc\n', b"4\n5\n")
    run(store)

    assert table(store)["prediction"].to_pylist() == ['{"a": 1}', "b", "c", "4", "5"]


def test_all_outputs_must_have_the_same_columns() -> None:
    with pytest.raises(AssociationError) as caught:
        run(Scored(b"1\n2\n3\n", b"4,5\n6,7\n"))

    assert caught.value.uri == "s3://b/out/part-00001.csv.out"


# --------------------------------------------------------------------------------------------------------- the types


@pytest.mark.parametrize(
    ("last", "expected"),
    [(b"5", [1, 2, 3, 4, 5]), (b"0.5", [1.0, 2.0, 3.0, 4.0, 0.5]), (b"x", ["1", "2", "3", "4", "x"])],
)
def test_the_type_holds_every_value_of_the_job(last: bytes, expected: list[object]) -> None:
    store = Scored(b"1\n2\n3\n", b"4\n" + last)
    run(store)

    assert table(store)["prediction"].to_pylist() == expected


def test_a_given_type_is_kept() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    run(store, predictions={"score": "string"})

    assert table(store)["score"].to_pylist() == ["1", "2", "3", "4", "5"]


def test_a_value_that_is_not_of_the_given_type_is_named() -> None:
    with pytest.raises(TypeTooNarrow) as caught:
        run(Scored(b"1\n2\n3\n", b"4\nhigh\n"), predictions={"score": "double"})

    assert (caught.value.uri, caught.value.record) == ("s3://b/out/part-00001.csv.out", 2)
    assert "high" in caught.value.detail


def test_kept_types_come_back() -> None:
    columns = {
        "when": pa.array(range(5), pa.timestamp("ns", "Europe/Berlin")),
        "nested": pa.array([[number] for number in range(5)]),
    }
    store = Scored(b"1\n2\n3\n", b"4\n5\n", **columns)
    run(store)

    assert table(store).drop_columns(["prediction"]).equals(pa.table(columns))
    with pytest.raises(InvalidInput, match="nested"):
        run(store, format="csv")


@pytest.mark.parametrize("predictions", [["id"], ["a", "b"], []])
def test_names_that_do_not_fit_are_refused(predictions: list[str]) -> None:
    with pytest.raises(InvalidInput):
        run(Scored(b"1\n2\n3\n", b"4\n5\n"), predictions=predictions)


# ------------------------------------------------------------------------------------------ input that was not prepared

UNPREPARED = {"prepared": None, "rows": None, "objects": None}


def test_without_kept_columns_rows_are_named_by_place() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n", keep=False)
    run(store)

    first, second = (shard.uri for shard in store.shards)
    assert table(store).to_pydict() == {
        "input_object": [first] * 3 + [second] * 2,
        "record": [1, 2, 3, 1, 2],
        "prediction": [1, 2, 3, 4, 5],
    }


def test_input_that_was_not_prepared_is_listed_and_counted() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    store.put(S3Uri("b", "in/shards/"), b"")
    store.put(S3Uri("b", "in/shards/empty.csv"), b"")
    store.put(S3Uri("b", "in/shards/deeper/z.csv"), b"0.5\n\n0.5")
    store.put(S3Uri("b", "out/deeper/z.csv.out"), b"6\n7\n")
    run(store, UNPREPARED)

    assert table(store)["prediction"].to_pylist() == [6, 7, 1, 2, 3, 4, 5]
    assert table(store)["record"].to_pylist() == [1, 2, 1, 2, 3, 1, 2]

    store.put(S3Uri("b", "out/deeper/z.csv.out"), b"6\n")
    with pytest.raises(RowCountMismatch):
        run(store, UNPREPARED)


def test_an_input_that_changed_since_is_refused() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    store.moved = {"in/shards/part-00000.csv": 5}

    with pytest.raises(StaleOutput):
        run(store, UNPREPARED)


def test_an_input_without_objects_is_refused() -> None:
    with pytest.raises(AssociationError):
        run(Scored(), UNPREPARED | {"input": "s3://b/none/"})


class Watched(InMemoryStore):
    """A store that knows which threads have opened its objects."""

    def __init__(self) -> None:
        super().__init__(buckets=["b"])
        self.threads = set[str]()

    @contextlib.contextmanager
    def reader(self, uri: S3Uri) -> Iterator[Any]:
        self.threads.add(threading.current_thread().name)
        with super().reader(uri) as source:
            yield source


@pytest.mark.parametrize(("rows", "threads"), [(3, 1), (200_000, 2)], ids=["small", "large"])
def test_what_is_small_is_not_worth_a_thread(rows: int, threads: int) -> None:
    store = Watched()
    store.put(S3Uri("b", "in/a.csv"), b"1\n" * rows)
    store.put(S3Uri("b", "out/a.csv.out"), b"0.12345\n" * rows)
    sides = {"input": "s3://b/in/", "answers": "s3://b/out/", "content_type": "text/csv", "accept": "text/csv"}

    made = associate(store, AssociateRequest.read({**sides, "output": "s3://b/table/"}))

    assert (made.rows, len(store.threads)) == (rows, threads)


@pytest.mark.parametrize("compression", [None, "Gzip"])
def test_a_record_of_other_cells_is_told_of_by_its_number(compression: str | None) -> None:
    lines = [b"%d,%d" % (number, number) for number in range(200_000)]
    lines[150_000] = b"ragged"
    body = b"\n".join(lines)
    assert len(body) > 2 * PIECE
    store = Scored()
    store.put(S3Uri("b", "raw/a.csv"), gzip.compress(body) if compression else body)
    store.put(S3Uri("b", "out/a.csv.out"), b"1\n" * len(lines))
    result = {**RESULT, "prepared": None, "input": "s3://b/raw/", "compression_type": compression}

    with pytest.raises(AssociationError, match=r"a\.csv, record 150001: has 1 cells, .*'ragged', .* id, x") as raised:
        run(store, result, input_columns=["id", "x"])

    assert raised.value.record == 150_001


TABLES = """
import sys
from tests.scored import Scored

job = Scored([b"1,x\\n2,y\\n"], [b"0.5,007\\n9e15,1\\n"])
for format in ("parquet", "csv", "jsonlines"):
    job.associate(input_columns=["id", "x"], format=format)
    job.associate(format=format)
job.associate(predictions={"a": "double", "b": "float"}, max_dead=1)
job = Scored([b"1\\n2\\n"], [b"0.5\\nx\\n"])
job.associate(predictions={"a": "double"}, max_dead=1)
print("pandas" in sys.modules)
"""


def test_tables_are_written_without_pandas() -> None:
    root = Path(__file__).parents[3]
    ran = subprocess.run([sys.executable, "-c", TABLES], cwd=root, capture_output=True, text=True, check=True)

    assert ran.stdout == "False\n"
